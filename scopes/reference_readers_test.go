package scopes_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What real upstreams read under which name. Each model is written after the
// source of its reader and knows nothing of ours, so that a reader which we
// forgot shows up as a request that passes and must not.

// refQueryReaders say whether a reader takes the decoded name of a parameter
// for the name that is checked.
var refQueryReaders = map[string]func(key, name string) bool{
	"net/http, servlets, Django, URLSearchParams": func(key, name string) bool { return key == name },
	"ASP.NET":               strings.EqualFold,
	"model binders":         func(key, name string) bool { return strings.EqualFold(key[:refCut(key, ".[")], name) },
	"a reader of C strings": func(key, name string) bool { return key[:refCut(key, "\x00")] == name },
	"a reader that trims":   func(key, name string) bool { return strings.Trim(key, "\x00 \t\r\n\v\f\u00a0\u3000") == name },
	"PHP 7": func(key, name string) bool {
		return refPHP(key, false) != "" && refPHP(key, false) == refPHP(name, false)
	},
	"PHP 8":         func(key, name string) bool { return refPHP(key, true) != "" && refPHP(key, true) == refPHP(name, true) },
	"Rack 2.2":      func(key, name string) bool { return refRack(key) == name },
	"Rack 3, Rails": func(key, name string) bool { return key != "" && key[:1+refCut(key[1:], "[")] == name },
	"qs":            func(key, name string) bool { return refQS(key, false)[0] == name },
	"qs with allowDots": func(key, name string) bool {
		want, got := refQS(name, true), refQS(key, true)
		return len(got) >= len(want) && slices.Equal(got[:len(want)], want)
	},
}

// refCut is where the first of the characters stands, or the end.
func refCut(s, chars string) int {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return i
	}
	return len(s)
}

// refPHP is php_register_variable_ex: the name of the variable, "" for none.
// PHP 8 mangles what stands behind a bracket that is not closed, PHP 7 did not.
func refPHP(key string, eight bool) string {
	mangle := strings.NewReplacer(" ", "_", ".", "_", "[", "_")
	key = strings.TrimLeft(key[:refCut(key, "\x00")], " ")
	head, tail, bracket := strings.Cut(key, "[")
	head = mangle.Replace(head)
	switch {
	case head == "" || !bracket || strings.Contains(tail, "]"):
		return head
	case eight:
		tail = mangle.Replace(tail)
	}
	return head + "_" + tail
}

// refRack is normalize_params of Rack 2.2: k = $1.
func refRack(key string) string {
	m := regexp.MustCompile(`\A[\[\]]*([^\[\]]+)\]*`).FindStringSubmatch(key)
	if m == nil {
		return ""
	}
	return m[1]
}

// refQS is parseKeys of qs: the properties that lead to the value.
func refQS(key string, dots bool) (chain []string) {
	if dots {
		key = regexp.MustCompile(`\.([^.\[]+)`).ReplaceAllString(key, "[$1]")
	}
	segments := regexp.MustCompile(`\[[^\[\]]*\]`).FindAllStringIndex(key, -1)
	if segments == nil || segments[0][0] > 0 {
		end := len(key)
		if segments != nil {
			end = segments[0][0]
		}
		chain = []string{key[:end]}
	}
	for _, s := range segments {
		chain = append(chain, key[s[0]+1:s[1]-1])
	}
	return chain
}

// refHeaderReaders say under which name a reader finds a header.
var refHeaderReaders = map[string]func(name string) string{
	"HTTP": strings.ToLower,
	"CGI of Apache": func(name string) string {
		b := []byte(name)
		for i, c := range b {
			switch {
			case 'a' <= c && c <= 'z':
				b[i] = c - 'a' + 'A'
			case (c < 'A' || c > 'Z') && (c < '0' || c > '9'):
				b[i] = '_'
			}
		}
		return string(b)
	},
	"WSGI, Rack, PHP": func(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) },
}

// TestReaders holds the models against what their readers answered.
func TestReaders(t *testing.T) {
	for _, tt := range []struct{ reader, key, name string }{
		{"PHP 7", "order[id", "order_id"},
		{"PHP 7", " order.id", "order_id"},
		{"PHP 7", "order_id[x][y", "order_id"},
		{"PHP 8", "a[b.c", "a_b_c"},
		{"PHP 8", "to [x]", "to_"},
		{"Rack 2.2", "][id", "id"},
		{"Rack 2.2", "id]", "id"},
		{"Rack 2.2", "[id]x", "id"},
		{"Rack 3, Rails", "id[x]", "id"},
		{"qs", "[id]", "id"},
		{"qs", "id[x]y", "id"},
		{"qs with allowDots", "a.b", "a[b]"},
		{"qs with allowDots", "id.x", "id"},
		{"ASP.NET", "\u212aey", "key"},
		{"model binders", "Id.x", "id"},
	} {
		if !refQueryReaders[tt.reader](tt.key, tt.name) {
			t.Errorf("%s does not take %q for %q", tt.reader, tt.key, tt.name)
		}
	}
	for _, tt := range []struct{ reader, key, name string }{
		{"PHP 8", "order[id]", "order_id"},
		{"PHP 8", "[id", "id"},
		{"Rack 3, Rails", "[id]", "id"},
		{"qs", "[]id", "id"},
		{"qs", "id]", "id"},
	} {
		if refQueryReaders[tt.reader](tt.key, tt.name) {
			t.Errorf("%s takes %q for %q", tt.reader, tt.key, tt.name)
		}
	}
}

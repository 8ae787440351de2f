package pages

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// called are the keys that the templates and the code of this package name. A key
// whose end is only known later stands with its beginning, such as "verb.".
func called(t *testing.T) (keys map[string]bool, beginnings []string) {
	t.Helper()
	keys = map[string]bool{}
	files := []fs.FS{os.DirFS("builtin/templates"), os.DirFS(".")}
	quoted := regexp.MustCompile(`"([a-z][a-z0-9._-]*)"`)
	for _, dir := range files {
		for _, name := range append(must(fs.Glob(dir, "*.html")), must(fs.Glob(dir, "*.go"))...) {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			for _, m := range quoted.FindAllStringSubmatch(string(must(fs.ReadFile(dir, name))), -1) {
				if keys[m[1]] = true; strings.HasSuffix(m[1], ".") {
					beginnings = append(beginnings, m[1])
				}
			}
		}
	}
	return keys, beginnings
}

func TestCatalogues(t *testing.T) {
	en, de := must(readCatalogue(builtin["texts/en.json"])), must(readCatalogue(builtin["texts/de.json"]))
	for key, text := range en {
		other, ok := de[key]
		if !ok {
			t.Errorf("%s: it has no German text", key)
		}
		if !maps.Equal(text.holes(), other.holes()) {
			t.Errorf("%s: the English text wants %v, the German one %v", key, text.holes(), other.holes())
		}
	}
	for key := range de {
		if _, ok := en[key]; !ok {
			t.Errorf("%s: it has no English text", key)
		}
	}
	keys, beginnings := called(t)
	for key := range en {
		name := key
		for _, form := range forms {
			name = strings.TrimSuffix(name, "."+form)
		}
		name = strings.TrimSuffix(name, ".alone")
		if !keys[name] && !slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(key, b) }) {
			t.Errorf("%s: nothing shows it", key)
		}
	}
	// Beginnings say little, so what follows them is held here.
	for _, verb := range verbs {
		for _, key := range []string{"verb." + verb, "verb." + verb + ".alone"} {
			if _, ok := en[key]; !ok {
				t.Errorf("there is no text %s", key)
			}
		}
	}
	for key := range en {
		verb, isVerb := strings.CutPrefix(strings.TrimSuffix(key, ".alone"), "verb.")
		if isVerb && !slices.Contains(slices.Collect(maps.Values(verbs)), verb) {
			t.Errorf("%s: no permission is told with it", key)
		}
		what, isUnshared := strings.CutPrefix(key, "unshared.")
		if isUnshared && !slices.Contains(asked().Unshared(), what) {
			t.Errorf("%s: nothing shows it", key)
		}
	}
	for _, u := range units {
		for _, key := range []string{"duration." + u.name + ".one", "duration." + u.name + ".other"} {
			if _, ok := en[key]; !ok {
				t.Errorf("there is no text %s", key)
			}
		}
	}
	for month := range 12 {
		if _, ok := en[fmt.Sprintf("month.%d", month+1)]; !ok {
			t.Errorf("month %d has no name", month+1)
		}
	}
}

// TestTemplatesNameTexts finds a misspelt key also where no sample leads.
func TestTemplatesNameTexts(t *testing.T) {
	en := must(readCatalogue(builtin["texts/en.json"]))
	call := regexp.MustCompile(`(?:text|plain) "([^"]*)"((?: "[a-z]+" (?:\([^()]*\)|[^ {}()]+))*)`)
	seen := 0
	for _, file := range builtin.under("templates/") {
		for _, m := range call.FindAllStringSubmatch(string(builtin[file]), -1) {
			seen++
			text, ok := en[m[1]]
			if !ok {
				t.Errorf("%s: there is no text %q", file, m[1])
			}
			for hole := range text.holes() {
				if !strings.Contains(m[2], `"`+hole+`"`) {
					t.Errorf("%s: %s gets no {%s}, only%s", file, m[1], hole, m[2])
				}
			}
		}
	}
	if seen < 70 {
		t.Errorf("got %d calls, want those of all templates", seen)
	}
}

// TestCatalogueWords keeps one spelling and one tone.
func TestCatalogueWords(t *testing.T) {
	for lang, never := range map[string][]string{
		"en": {"login to", "e-mail-", "email", "organisation", "OAuth", "token", "client", "consent", "!", "  "},
		"de": {" du ", " dein", " dir ", "Email", "Login", "einloggen", "Client", "Token", "!", "  "},
	} {
		for key, text := range must(readCatalogue(builtin["texts/"+lang+".json"])) {
			for _, part := range text {
				for _, no := range never {
					if strings.Contains(part.words, no) {
						t.Errorf("%s, %s: %q has %q", lang, key, part.words, no)
					}
				}
			}
		}
	}
}

func TestParseText(t *testing.T) {
	for in, want := range map[string]string{
		"plain":           "plain",
		"{a}":             "<bdi>&lt;A&gt;</bdi>",
		"x {a} & {b} y":   "x <bdi>&lt;A&gt;</bdi> &amp; B&#39;s y",
		"{a}{a}":          "<bdi>&lt;A&gt;</bdi><bdi>&lt;A&gt;</bdi>",
		"<b>{n}</b>":      "&lt;b&gt;7&lt;/b&gt;",
		"{c}":             "error: the text has {c}, for which there is no value",
		"{":               "error: a brace that belongs to no {name}",
		"a } b":           "error: a brace that belongs to no {name}",
		"{{a}}":           "error: a brace that belongs to no {name}",
		"{}":              "error: {}: expected a name of small letters in the braces",
		"{A b}":           "error: {A b}: expected a name of small letters in the braces",
		"a {a} {unclosed": "error: a brace that belongs to no {name}",
	} {
		text, err := parseText(in)
		got := ""
		if err == nil {
			var filled any
			filled, err = text.html(values{"a": "<A>", "b": phrase("B's"), "n": 7})
			got = fmt.Sprint(filled)
		}
		if err != nil {
			got = "error: " + err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
	title := must(must(parseText("Log in to {a}")).plain(values{"a": "\u202exyz"}))
	if want := "Log in to \u2068\u202exyz\u2069"; title != want {
		t.Errorf("got %q, want %q", title, want)
	}
	if _, err := must(parseText("{a}")).plain(values{"a": must(parseText("{a}"))}); err == nil {
		t.Error("a title can have another kind of value")
	}
}

package scopes

import (
	"fmt"
	"strconv"
	"strings"
)

// ParseRule reads the words of one line, which must have one of the forms
//
//	METHOD PATH PERMISSION RESOURCE
//	METHOD PATH                              with a block behind it, see [ParseNeed] and [ParseEach]
//	grpc SERVICE/METHOD PERMISSION RESOURCE
//	grpc SERVICE/METHOD                      with a block behind it
//	authenticated METHOD PATH
//	authenticated grpc SERVICE/METHOD
//	public METHOD PATH
//	public grpc SERVICE/METHOD
//
// The source is where the line is, for error texts; it may be "". The words
// themselves are checked by [NewPolicy], which also refuses a rule that was not
// completed by a block. See docs/scopes.md, section 3.4.
func ParseRule(source string, words ...string) (Rule, error) {
	r := Rule{Source: source}
	if err := checkWords(source, words); err != nil {
		return Rule{}, err
	}
	const forms = "METHOD PATH PERMISSION RESOURCE, or METHOD PATH and a block"
	if len(words) == 0 {
		return Rule{}, r.fault("the rule is empty: expected %s", forms)
	}
	switch first := words[0]; {
	case first == "public" || first == "authenticated":
		if len(words) != 3 {
			return Rule{}, r.fault("%s: expected %s METHOD PATH, as in: %s GET /healthz; found %s", quoteWords(words), first, first, count(words))
		}
		r.Access = AccessPublic
		if first == "authenticated" {
			r.Access = AccessAuthenticated
		}
		words = words[1:]
	case first != methodGRPC && !IsMethod(first):
		return Rule{}, r.fault("unrecognized %s: expected a method such as GET, or grpc, public or authenticated", quote(first))
	case len(words) == 4:
		r.AllOf = []RuleNeed{{Permission: words[2], Resource: words[3]}}
	case len(words) != 2:
		return Rule{}, r.fault("%s: expected %s, as in: GET /orders/{id} orders.read orders/{id}; found %s", quoteWords(words), forms, count(words))
	}
	r.Method, r.Path = words[0], words[1]
	return r, nil
}

// ParseNeed reads the words PERMISSION RESOURCE, one line of a rule's block or
// of an all_of or any_of in it.
func ParseNeed(source string, words ...string) (RuleNeed, error) {
	if err := checkWords(source, words); err != nil {
		return RuleNeed{}, err
	}
	if len(words) != 2 {
		return RuleNeed{}, faultAt(source, "%s: expected PERMISSION RESOURCE, as in: orders.read orders/{id}; found %s", quoteWords(words), count(words))
	}
	return RuleNeed{Permission: words[0], Resource: words[1], Source: source}, nil
}

// ParseEach reads the words VARIABLE SEPARATOR, which stand behind "each" in a
// rule's block.
func ParseEach(source string, words ...string) (*Each, error) {
	if err := checkWords(source, words); err != nil {
		return nil, err
	}
	if len(words) != 2 {
		return nil, faultAt(source, "each: expected VARIABLE SEPARATOR, as in: each query:ids , ; found %s", count(words))
	}
	return &Each{Variable: words[0], Separator: words[1]}, nil
}

// checkWords refuses words that are not what their writer wrote.
func checkWords(source string, words []string) error {
	for _, w := range words {
		if fault := shorthandFault(w); fault != "" {
			return faultAt(source, "%s: %s", quote(w), fault)
		}
	}
	return nil
}

// count says how many words there are.
func count(words []string) string {
	if len(words) == 1 {
		return "1 word"
	}
	return strconv.Itoa(len(words)) + " words"
}

func quoteWords(words []string) string { return quote(strings.Join(words, " ")) }

// shorthandFault says why a text is none of ours; "" if it may be.
func shorthandFault(text string) string {
	for _, s := range []struct{ rewritten, kind string }{{"{http.request.uri.query.", "query"}, {"{http.request.header.", "header"}} {
		if _, name, found := strings.Cut(text, s.rewritten); found {
			name, _, _ = strings.Cut(name, "}")
			return fmt.Sprintf("Caddy rewrites {%[1]s.%[2]s} before it is read here; a resource has it as {%[1]s:%[2]s}, each as %[1]s:%[2]s", s.kind, name)
		}
	}
	if strings.Contains(text, "{http.") || strings.Contains(text, "{tls.") {
		return "Caddy rewrites shorthands such as {path}, {host} or {query.x} before they are read here; choose another name for the variable"
	}
	return ""
}

// IsMethod says whether s is written like a method: capitals, and after the
// first one also digits, "-" and "_".
func IsMethod(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'A' || c > 'Z') && (i == 0 || c != '-' && c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

package pages

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// FuzzWords tells of permissions, patterns, scopes and devices that anybody made
// up: it cannot fail, and has no element but those that isolate.
func FuzzWords(f *testing.F) {
	for _, seed := range append(hostile, "orders.read", "orders/*/x*", "**", "grpn://a", "Firefox/1 Linux", "a/b/", "/", ".", "scope", "permission.x/y") {
		f.Add(seed)
	}
	l := must(New("")).languages
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range l {
			for name, tell := range map[string]func() (any, error){
				"permission": func() (any, error) { return l.permission(text, text) },
				"pattern":    func() (any, error) { return l.pattern(text) },
				"scope":      func() (any, error) { return l.scope(text) },
				"reason":     func() (any, error) { return l.reason(text) },
				"notice":     func() (any, error) { return l.notice(text) },
				"device":     func() (any, error) { return l.device(text) },
			} {
				got := read(tell())
				if strings.HasPrefix(got, "error: ") && !strings.Contains(text, "error: ") {
					t.Errorf("%s of %q: %s", name, text, got)
				}
			}
			made, err := l.permission(text, text)
			if err != nil {
				t.Fatal(err)
			}
			walk(parsed(t, string(made)), func(n *html.Node) {
				if n.Type == html.ElementNode && !strings.Contains("html head body bdi", n.Data) || n.Type == html.CommentNode {
					t.Errorf("permission %q: an element %s in %s", text, n.Data, made)
				}
			})
		}
	})
}

// FuzzLanguages asks for languages as strangers do.
func FuzzLanguages(f *testing.F) {
	for _, seed := range []string{"de", "de-AT,de;q=0.9", "*", "en;q=0", "x-y-z", "sr-Latn-RS-u-co-phonebk", strings.Repeat("a-", 100), "\x00;q=1e9"} {
		f.Add(seed, seed)
	}
	p := must(New(""))
	f.Fuzz(func(t *testing.T, locales, accept string) {
		r := asking("")
		r.Header["Accept-Language"] = []string{accept}
		if l := p.choose(locales, r); l == nil || len(l.texts) == 0 {
			t.Errorf("%q and %q: no language", locales, accept)
		}
	})
}

// FuzzFormTarget registers what should not be: a policy has one more word, or none.
func FuzzFormTarget(f *testing.F) {
	for _, seed := range []string{"https://a.example/", "http://[::1]:1/", "com.example:/x", "https://a;b", "https://a b/", "x.y,z:/", "https://a/\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if got := formTargets([]string{uri}); strings.ContainsAny(strings.TrimPrefix(got, " "), " ;,'\"*\r\n\t\x00") {
			t.Errorf("%q: got %q", uri, got)
		}
	})
}

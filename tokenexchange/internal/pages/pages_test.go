package pages

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"
)

var hostile = []string{
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "'--><svg/onload=alert(1)>", "</title></style></textarea><b>", "javascript:alert(1)",
	"{{.Style}}", "{client}", "\u202egnihtyna\u2066", "\u05e9\u05dc\u05d5\u05dd", "\x00\xff\x1b[31m", strings.Repeat("W", 10_000),
}

// TestHostileText fills every string of every page with what breaks out of a page
// that is made by joining strings. It must stay text: no element and no attribute
// more, no address that runs, and no direction beyond itself.
func TestHostileText(t *testing.T) {
	p := must(New(""))
	for _, page := range everyPage {
		for _, lang := range []string{"en", "de"} {
			want := skeleton(parsed(t, shown(t, p, asking(lang), filled(page, "harmless"), Options{}).Body.String()))
			for _, text := range hostile {
				w := shown(t, p, asking(lang), filled(page, text), Options{Locales: text, Targets: []string{text}})
				doc := parsed(t, w.Body.String())
				if diff := cmp.Diff(want, skeleton(doc)); diff != "" {
					t.Errorf("%s with %.30q: the page has other elements:\n%s", page.name(), text, diff)
				}
				walk(doc, func(n *html.Node) {
					if n.Type == html.TextNode && strings.Contains(n.Data, text) && within(n, "bdi") == nil {
						t.Errorf("%s: %.30q is not isolated from the text around it", page.name(), text)
					}
					for _, a := range n.Attr {
						if (a.Key == "href" || a.Key == "action") && strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
							t.Errorf("%s: a link to %s", page.name(), a.Val)
						}
					}
				})
			}
		}
	}
}

// TestStructure is what all pages have in common for who hears them, or reads them
// in another size.
func TestStructure(t *testing.T) {
	p := must(New(""))
	for _, page := range append(samples(), everyPage...) {
		for _, lang := range []string{"en", "de"} {
			w := shown(t, p, asking(lang), page, Options{})
			doc, at := parsed(t, w.Body.String()), page.name()+" in "+lang
			for _, once := range []string{"h1", "main", "header", "title", "style"} {
				if got := elements(doc, once); len(got) != 1 || words(got[0]) == "" && once != "style" {
					t.Errorf("%s: %d elements %s, or an empty one; want one", at, len(got), once)
				}
			}
			if got := attr(elements(doc, "html")[0], "lang"); got != lang || w.Header().Get("Content-Language") != lang {
				t.Errorf("%s: the language is %q and %q", at, got, w.Header().Get("Content-Language"))
			}
			for _, name := range []string{"script", "link", "iframe", "object", "base", "img"} {
				if len(elements(doc, name)) > 0 {
					t.Errorf("%s: there is a %s", at, name)
				}
			}
			ids := map[string]bool{}
			walk(doc, func(n *html.Node) {
				if id := attr(n, "id"); id != "" {
					if ids[id] {
						t.Errorf("%s: the id %s is there twice", at, id)
					}
					ids[id] = true
				}
				for _, a := range n.Attr {
					if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
						t.Errorf("%s: an attribute %s", at, a.Key)
					}
				}
			})
			walk(doc, func(n *html.Node) {
				for _, name := range []string{"aria-describedby", "aria-labelledby", "for"} {
					if id := attr(n, name); id != "" && !ids[id] {
						t.Errorf("%s: %s of %s names no element", at, id, n.Data)
					}
				}
			})
			labels(t, at, doc)
		}
	}
}

// labels checks that everything that can be typed, ticked or pressed says what it is.
func labels(t *testing.T, at string, doc *html.Node) {
	t.Helper()
	named := map[string]bool{}
	for _, l := range elements(doc, "label") {
		if words(l) == "" {
			t.Errorf("%s: an empty label", at)
		}
		named[attr(l, "for")] = true
	}
	for _, in := range elements(doc, "input") {
		if attr(in, "type") != "hidden" && within(in, "label") == nil && !named[attr(in, "id")] {
			t.Errorf("%s: the input %s has no label", at, attr(in, "name"))
		}
		if within(in, "form") == nil {
			t.Errorf("%s: the input %s is in no form", at, attr(in, "name"))
		}
	}
	for _, set := range elements(doc, "fieldset") {
		if legend := elements(set, "legend"); len(legend) == 0 || words(legend[0]) == "" {
			t.Errorf("%s: a fieldset without a legend", at)
		}
	}
	for _, name := range []string{"button", "a", "summary", "dt"} {
		for _, n := range elements(doc, name) {
			if words(n) == "" {
				t.Errorf("%s: an empty %s", at, name)
			}
		}
	}
	for _, form := range elements(doc, "form") {
		if attr(form, "method") != "post" {
			t.Errorf("%s: a form sends by %q", at, attr(form, "method"))
		}
	}
}

// TestHeaders holds what every page is sent with.
func TestHeaders(t *testing.T) {
	p := must(New(""))
	for _, page := range append(samples(), everyPage...) {
		w := shown(t, p, asking("de"), page, Options{Targets: []string{"https://web.example.com/cb", "https://web.example.com/other"}})
		sum := sha256.Sum256([]byte(elements(parsed(t, w.Body.String()), "style")[0].FirstChild.Data))
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
				"'; form-action 'self' https://web.example.com; base-uri 'none'; frame-ancestors 'none'",
			"Content-Type": "text/html; charset=utf-8", "Content-Language": "de", "Content-Length": fmt.Sprint(w.Body.Len()),
			"Cache-Control": "no-store", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
			"Referrer-Policy": "no-referrer", "Permissions-Policy": permissions, "Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": map[bool]string{true: "same-origin"}[page.name() == "account"],
		} {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s, %s: got %q, want %q", page.name(), name, got, want)
			}
		}
	}
}

func TestFormTargets(t *testing.T) {
	for uri, want := range map[string]string{
		"":                                 "",
		"https://web.example.com/cb?x=1":   " https://web.example.com",
		"https://web.example.com:8443/cb":  " https://web.example.com:8443",
		"http://127.0.0.1:3000/x":          " http://127.0.0.1:3000",
		"http://localhost/x":               " http://localhost",
		"http://[::1]:3000/x":              " http:",
		"https://[2001:db8::1]/x":          " https:",
		"com.example.app:/cb":              " com.example.app:",
		"com.example.app://host/cb":        " com.example.app:",
		"/relative":                        "",
		"https:///nowhere":                 "",
		"https://a;script-src *":           "",
		"https://a.example,b/":             "",
		"https://a'b/":                     "",
		"https://*/":                       "",
		"https://*.example.com/":           "",
		"https://a.example.com:*/":         "",
		"https://user@web.example.com/":    " https://web.example.com",
		"https://bücher.example/":          "",
		"javascript:alert(1)":              "",
		"data:text/html,x":                 "",
		"x;script-src:/":                   "",
		"https://web.example.com\r\nX: y/": "",
	} {
		if got := formTargets([]string{uri}); got != want {
			t.Errorf("%q: got %q, want %q", uri, got, want)
		}
	}
	if got, want := formTargets([]string{"https://a/1", "", "https://b/", "https://a/2"}), " https://a https://b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// Where an application may go on to never opens all of the web.
	if got, want := formTargets([]string{"https://a/1", "http://[::1]/", "https://[2001:db8::1]/", "com.example.app:/"}), " https://a com.example.app:"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPagesAtOnce has pages shown to many before they were shown to one.
func TestPagesAtOnce(t *testing.T) {
	p := must(compile(nil))
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			page := samples()[i%len(everyPage)]
			w := httptest.NewRecorder()
			if err := p.Show(w, asking([]string{"en", "de"}[i%2]), 200, page, Options{}); err != nil || !strings.Contains(w.Body.String(), "</html>") {
				t.Errorf("%s: got %v and %s", page.name(), err, w.Body)
			}
		})
	}
	all.Wait()
}

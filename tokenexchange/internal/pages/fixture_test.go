package pages

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// asking is a browser that wants a language.
func asking(accept string) *http.Request {
	r := httptest.NewRequest("GET", "/oauth2/authorize", nil)
	r.Header.Set("Accept-Language", accept)
	return r
}

// shown is a page as a browser gets it.
func shown(t testing.TB, p *Pages, r *http.Request, page Page, o Options) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := p.Show(w, r, http.StatusOK, page, o); err != nil {
		t.Errorf("%s: %v", page.name(), err)
	}
	return w
}

// filled is a page whose every string is text, and whose lists have two entries.
func filled(page Page, text string) Page {
	v := reflect.New(reflect.TypeOf(page)).Elem()
	fill(v, text)
	return v.Interface().(Page)
}

func fill(v reflect.Value, text string) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Date(2026, 11, 22, 18, 4, 0, 0, time.UTC)))
		return
	case time.Duration:
		v.SetInt(int64(90 * time.Minute))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int:
		v.SetInt(7)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	default:
		panic("a view has a " + v.Kind().String())
	}
}

// parsed reads a page as a browser does.
func parsed(t testing.TB, body string) *html.Node {
	t.Helper()
	return must(html.Parse(strings.NewReader(body)))
}

// walk visits all nodes of a page.
func walk(n *html.Node, visit func(*html.Node)) {
	visit(n)
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, visit)
	}
}

// elements are those of a page with a name.
func elements(page *html.Node, name string) (all []*html.Node) {
	walk(page, func(n *html.Node) {
		if n.Type == html.ElementNode && n.Data == name {
			all = append(all, n)
		}
	})
	return all
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// within returns the nearest element with a name that a node stands in.
func within(n *html.Node, name string) *html.Node {
	for n != nil && n.Data != name {
		n = n.Parent
	}
	return n
}

// words are all that is read in a part of a page.
func words(n *html.Node) string {
	var b strings.Builder
	walk(n, func(n *html.Node) {
		if n.Type == html.TextNode && within(n, "style") == nil {
			b.WriteString(n.Data + " ")
		}
	})
	return strings.Join(strings.Fields(b.String()), " ")
}

// skeleton is a page without its texts and values.
func skeleton(n *html.Node) (lines []string) {
	walk(n, func(n *html.Node) {
		if n.Type == html.TextNode {
			return
		}
		line := fmt.Sprint(n.Type, n.Data)
		for _, a := range n.Attr {
			line += " " + a.Key
		}
		lines = append(lines, line)
	})
	return lines
}

package pages

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
)

// builtin is what the pages look like and say where no directory says otherwise.
//
//go:embed builtin
var builtin embed.FS

// Pages is the pages of one server. It is immutable and safe for concurrent use.
type Pages struct {
	templates map[string]*template.Template
	style     template.CSS
}

// New reads the replacements in a directory, and nothing else; "" is for none.
// An error names the file, what was wrong, and what was expected.
func New(dir string) (*Pages, error) {
	p := &Pages{templates: map[string]*template.Template{}}
	css, err := builtin.ReadFile("builtin/style.css")
	if err != nil {
		return nil, err
	}
	p.style = template.CSS(css)
	files, err := fs.Sub(builtin, "builtin/templates")
	if err != nil {
		return nil, err
	}
	for _, page := range []Page{Login{}, Organizations{}, Consent{}, Account{}, Logout{}, LoggedOut{}, Failure{}} {
		t, err := template.ParseFS(files, "layout.html", page.name()+".html")
		if err != nil {
			return nil, err
		}
		p.templates[page.name()] = t
	}
	return p, nil
}

// Options are what Show has to know besides the view.
type Options struct {
	Locales string   // the languages that the client asked for (ui_locales), best first
	Targets []string // URIs that a form of the page can lead to by a redirect
}

// Show answers a request with a page.
func (p *Pages) Show(w http.ResponseWriter, r *http.Request, status int, page Page, o Options) {
	var body bytes.Buffer
	if err := p.templates[page.name()].ExecuteTemplate(&body, "layout.html", struct {
		Style template.CSS
		View  Page
	}{p.style, page}); err != nil {
		panic(err)
	}
	p.headers(w.Header(), o.Targets)
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // The client is gone if this fails.
}

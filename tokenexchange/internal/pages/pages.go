package pages

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"sync"

	texttemplate "text/template"
)

// Pages is the pages of one server. It is immutable and safe for concurrent use.
type Pages struct {
	chooser
	look
	builtin map[*language]sheets
	shown   map[*language]sheets // the built-in ones, or what replaces them
}

// New makes pages of the built-in ones and what a directory replaces of them, ""
// for nothing. It reads the directory, and nothing else. An error names the file,
// what was wrong, and what was expected.
func New(dir string) (*Pages, error) {
	if dir == "" {
		return unreplaced()
	}
	own, err := readDir(dir)
	if err == nil {
		var p *Pages
		if p, err = compile(own); err == nil {
			return p, nil
		}
	}
	return nil, fmt.Errorf("directory %s: %w", dir, err)
}

var unreplaced = sync.OnceValues(func() (*Pages, error) { return compile(nil) })

func compile(own files) (*Pages, error) {
	languages, err := readLanguages(own)
	if err != nil {
		return nil, err
	}
	p := &Pages{chooser: newChooser(languages), builtin: map[*language]sheets{}, shown: map[*language]sheets{}}
	if p.look, err = readLook(own); err != nil {
		return nil, err
	}
	for _, l := range languages {
		if p.builtin[l], err = readSheets(l, nil); err != nil {
			return nil, err
		}
		if p.shown[l] = p.builtin[l]; len(own) == 0 {
			continue
		}
		if p.shown[l], err = readSheets(l, own); err != nil {
			return nil, err
		}
		if err := p.try(l); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Options are what Show has to know besides the view.
type Options struct {
	Locales string   // the languages that the client asked for (ui_locales), best first
	Targets []string // URIs that a form of the page can lead to by redirects; the answer goes to the first
}

// Show answers a request with a page. An error says that what replaces a page
// failed, and where; the built-in page was shown then.
func (p *Pages) Show(w http.ResponseWriter, r *http.Request, status int, page Page, o Options) error {
	l := p.choose(o.Locales, r)
	body, failed := p.render(p.shown[l], l, page)
	if failed != nil {
		var err error
		if body, err = p.render(p.builtin[l], l, page); err != nil {
			panic(err) // The built-in pages have no part that can fail.
		}
	}
	h := w.Header()
	p.writeHeaders(h, page, o.Targets)
	h.Set("Content-Language", l.tag.String())
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // The client is gone if this fails.
	return where(failed)
}

// scene is what the layout is made with.
type scene struct {
	Lang  string
	Style template.CSS
	Logo  template.URL
	View  Page
}

func (p *Pages) render(s sheets, l *language, page Page) ([]byte, error) {
	var body bytes.Buffer
	err := s[page.name()].ExecuteTemplate(&body, layout, scene{l.tag.String(), p.style, p.logo, page})
	return body.Bytes(), err
}

// where says where a template failed. Why is left out: it can hold what the page
// should have shown.
func where(err error) error {
	var failed texttemplate.ExecError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed):
		return fmt.Errorf("the template %s failed", failed.Name)
	}
	return errors.New("a template failed")
}

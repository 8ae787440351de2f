package pages

import (
	"errors"
	"fmt"
	"html/template"
	"strings"
	"unicode/utf8"
)

const layout = "layout.html"

// sheets are the templates of pages in one language, by the names of the pages.
// Each defines title and main; the layout stands around them.
type sheets map[string]*template.Template

// readSheets parses the built-in templates and what replaces them.
func readSheets(l *language, own files) (sheets, error) {
	s := sheets{}
	for _, page := range everyPage {
		t := template.New(page.name()).Funcs(l.functions())
		for _, file := range []string{layout, page.name() + ".html"} {
			data, replaced := own["templates/"+file]
			if !replaced {
				data = builtin["templates/"+file]
			}
			if !utf8.Valid(data) {
				return nil, inFile("templates/"+file, errors.New("no text; expected a template in UTF-8"))
			}
			if _, err := t.New(file).Parse(string(data)); err != nil {
				return nil, inFile("templates/"+file, fmt.Errorf("%s; expected a template as package html/template reads it", trimmed(err)))
			}
		}
		for _, part := range []string{"title", "main"} {
			if t.Lookup(part) == nil {
				return nil, inFile("templates/"+page.name()+".html", fmt.Errorf(`{{define "%s"}} is missing; expected title and main`, part))
			}
		}
		s[page.name()] = t
	}
	return s, nil
}

// functions are what templates can call.
func (l *language) functions() template.FuncMap {
	return template.FuncMap{
		"text": l.html, "plain": l.plain,
		"service": l.service, "permission": l.permission, "pattern": l.pattern, "scope": l.scope,
		"reason": l.reason, "notice": l.notice, "device": l.device,
		"duration": l.duration, "seconds": l.seconds, "date": l.date, "iso": iso,
	}
}

// trimmed is an error of a template, whose first word says nothing.
func trimmed(err error) string { return strings.TrimPrefix(err.Error(), "template: ") }

package pages

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"

	xlanguage "golang.org/x/text/language"
)

// language is what the pages say in one language.
type language struct {
	tag   xlanguage.Tag
	texts map[string]text
}

// html returns a text with its values, which are given as names and values in
// turn.
func (l *language) html(key string, pairs ...any) (template.HTML, error) {
	t, v, err := l.find(key, pairs)
	if err != nil {
		return "", err
	}
	return t.html(v)
}

// plain is html for where no tag can stand.
func (l *language) plain(key string, pairs ...any) (string, error) {
	t, v, err := l.find(key, pairs)
	if err != nil {
		return "", err
	}
	return t.plain(v)
}

func (l *language) find(key string, pairs []any) (text, values, error) {
	t, ok := l.texts[key]
	if !ok {
		return nil, nil, fmt.Errorf("there is no text %q; expected a key of texts/en.json", key)
	}
	v, err := named(pairs)
	return t, v, err
}

// has reports whether there is a text.
func (l *language) has(key string) bool { _, ok := l.texts[key]; return ok }

// chooser knows the languages that the pages can be shown in.
type chooser struct {
	languages []*language // the first is English
	matcher   xlanguage.Matcher
}

func newChooser(languages []*language) chooser {
	tags := make([]xlanguage.Tag, len(languages))
	for i, l := range languages {
		tags[i] = l.tag
	}
	return chooser{languages, xlanguage.NewMatcher(tags)}
}

// Languages returns the tags of the languages (BCP 47), English first.
func (c chooser) Languages() (tags []string) {
	for _, l := range c.languages {
		tags = append(tags, l.tag.String())
	}
	return tags
}

// maxPreferences is how long a list of languages may be that is read.
const maxPreferences = 1 << 10

// choose returns the language that suits a person best: one that the client asked
// for (ui_locales), else one that the browser asks for, else English.
func (c chooser) choose(locales string, r *http.Request) *language {
	var wanted []xlanguage.Tag
	if len(locales) <= maxPreferences {
		for name := range strings.FieldsSeq(locales) {
			// OpenID Connect Core 3.1.2.1: what cannot be had is no error.
			if tag, err := xlanguage.Parse(name); err == nil {
				wanted = append(wanted, tag)
			}
		}
	}
	if accepted := strings.Join(r.Header.Values("Accept-Language"), ","); len(accepted) <= maxPreferences {
		if tags, _, err := xlanguage.ParseAcceptLanguage(accepted); err == nil {
			wanted = append(wanted, tags...)
		}
	}
	_, i, _ := c.matcher.Match(wanted...) // The first where none suits.
	return c.languages[i]
}

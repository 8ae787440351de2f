package pages

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	xlanguage "golang.org/x/text/language"

	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// english is the language that all others fall back to.
const english = "en"

// names are the beginnings of keys that operators make up: the exact words for
// what their configuration names.
var names = []string{"permission.", "service.", "scope.", "reason.", "notice."}

// readLanguages makes the languages of the built-in catalogues and of those that an
// operator laid over them, which are named after their languages.
func readLanguages(own files) ([]*language, error) {
	base, err := readCatalogue(builtin["texts/en.json"])
	if err != nil {
		return nil, fmt.Errorf("texts/en.json: %w", err)
	}
	known := maps.Clone(base)
	all := map[string]map[string]text{english: base}
	// English comes first, since the others are laid over what it is then.
	for _, from := range []files{builtin, own} {
		for _, file := range from.under("texts/") {
			name := strings.TrimSuffix(path.Base(file), ".json")
			if err := checkTag(name); err != nil {
				return nil, inFile(file, err)
			}
			texts, err := readCatalogue(from[file])
			if err == nil {
				err = checkTexts(known, texts)
			}
			if err != nil {
				return nil, inFile(file, err)
			}
			if all[name] == nil {
				all[name] = map[string]text{}
			}
			maps.Copy(all[name], texts)
		}
	}
	languages := []*language{{tag: xlanguage.English, texts: all[english]}}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name == english {
			continue
		}
		texts := maps.Clone(all[english])
		maps.Copy(texts, all[name])
		languages = append(languages, &language{tag: xlanguage.MustParse(name), texts: texts})
	}
	return languages, nil
}

// Named returns the services and permissions that the texts have words for, sorted:
// shop, and shop/orders.read.
func (p *Pages) Named() (services, permissions []string) {
	found := map[string]bool{}
	for _, l := range p.languages {
		for key := range l.texts {
			found[key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if id, ok := strings.CutPrefix(key, "service."); ok {
			services = append(services, id)
		}
		if id, ok := strings.CutPrefix(key, "permission."); ok {
			permissions = append(permissions, id)
		}
	}
	return services, permissions
}

// checkTag checks the name of a file of texts, which is sent as the language of
// the page.
func checkTag(name string) error {
	tag, err := xlanguage.Parse(name)
	if err != nil || tag.String() != name || tag == xlanguage.Und {
		return errors.New("the name is no language tag (BCP 47); expected one such as fr.json or pt-BR.json")
	}
	return nil
}

// readCatalogue reads one JSON object of keys and texts.
func readCatalogue(data []byte) (map[string]text, error) {
	texts := map[string]text{}
	r := strictjson.NewReader(data)
	err := r.Object(func(key string) error {
		s, err := r.String()
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		if strings.TrimSpace(s) == "" {
			return fmt.Errorf("%s: an empty text; expected words, or no such key", key)
		}
		if texts[key], err = parseText(s); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err == nil {
		err = r.End()
	}
	return texts, err
}

// checkTexts checks texts against those of the built-in English catalogue: the
// templates ask for those keys, and give values for those holes.
func checkTexts(known, texts map[string]text) error {
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		like, ok := known[pluralKey(known, key)]
		if !ok && !slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(key, name) && key != name }) {
			return fmt.Errorf("%s: unknown key; expected one of the built-in texts/en.json, or one that begins with %s", key, strings.Join(names, ", "))
		}
		for name := range texts[key].holes() {
			if !like.holes()[name] {
				return fmt.Errorf("%s: there is no value for {%s}; expected %s", key, name, expectedHoles(like))
			}
		}
		if s, _ := texts[key].plain(nil); key == "direction" && s != "ltr" && s != "rtl" {
			return fmt.Errorf("%s: %q; expected ltr or rtl", key, s)
		}
	}
	return nil
}

// pluralKey is the key that has the same holes: a language may have more plural
// forms than English.
func pluralKey(known map[string]text, key string) string {
	i := strings.LastIndexByte(key, '.')
	if _, ok := known[key]; ok || i < 0 {
		return key
	}
	for _, form := range forms {
		if key[i+1:] == form {
			return key[:i] + ".other"
		}
	}
	return key
}

func expectedHoles(t text) string {
	if len(t.holes()) == 0 {
		return "no braces"
	}
	return "none but {" + strings.Join(slices.Sorted(maps.Keys(t.holes())), "}, {") + "}"
}

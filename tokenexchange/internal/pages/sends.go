package pages

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// sending is what people can send with one form of a page, or by its links: how
// often each is there.
type sending map[string]int

// readSends reads what a page lets people send. What stands outside of a form is
// sent by none.
func readSends(page string) (links sending, forms []sending) {
	links = sending{}
	var form sending // that is open
	for _, t := range tag.FindAllString(page, -1) {
		name, what := strings.ToLower(element.FindStringSubmatch(t)[1]), sent(t)
		switch {
		case name == "form" && strings.HasPrefix(t, "</"):
			form = nil
		case name == "form":
			form = sending{what: 1}
			forms = append(forms, form)
		case name == "a" && what != "":
			links[what]++
		case what != "" && form != nil:
			form[what]++
		}
	}
	return links, forms
}

// lack returns what others have more of, sorted.
func (s sending) lack(others sending) (missing []string) {
	for _, what := range slices.Sorted(maps.Keys(others)) {
		if s[what] < others[what] {
			missing = append(missing, what)
		}
	}
	return missing
}

// lacking returns what a page does not let people send and another one does, ""
// for nothing. Each form of that one must have one of its own that sends as much.
func lacking(got, want string) string {
	gotLinks, gotForms := readSends(got)
	wantLinks, wantForms := readSends(want)
	if missing := gotLinks.lack(wantLinks); len(missing) > 0 {
		return missing[0]
	}
	for _, form := range wantForms {
		nearest, missing := -1, sending{}.lack(form)
		for i, other := range gotForms {
			if m := other.lack(form); len(m) < len(missing) {
				nearest, missing = i, m
			}
		}
		if len(missing) > 0 {
			return missing[0]
		}
		gotForms = slices.Delete(gotForms, nearest, nearest+1)
	}
	return ""
}

// sent says what a tag lets people send, "" for nothing.
func sent(tag string) string {
	a := attributes(tag)
	for _, off := range []string{"disabled", "hidden"} {
		if _, is := a[off]; is {
			return ""
		}
	}
	switch name := strings.ToLower(element.FindStringSubmatch(tag)[1]); {
	case strings.HasPrefix(tag, "</"):
		return ""
	case name == "form":
		return fmt.Sprintf(`<form method="%s" action="%s">`, strings.ToLower(a["method"]), a["action"])
	case name == "a":
		return fmt.Sprintf(`<a href="%s">`, a["href"])
	case name == "input" && a["name"] != "":
		return fmt.Sprintf(`<input name="%s" value="%s" type="%s">`, a["name"], a["value"], strings.ToLower(a["type"]))
	case name == "button" && (a["type"] == "" || strings.EqualFold(a["type"], "submit")):
		return fmt.Sprintf(`<button name="%s" value="%s">`, a["name"], a["value"])
	}
	return ""
}

package pages

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// everyPage are the pages, with nothing in them.
var everyPage = []Page{Login{}, Organizations{}, Consent{}, Account{}, Logout{}, LoggedOut{}, Failure{}}

// try shows all pages that replacements were given for once, with little and with
// much in them, so that a mistake is found when a configuration is loaded. What
// replaces a page must let people send what the built-in one lets them send.
func (p *Pages) try(l *language) error {
	for _, page := range append(everyPage, samples()...) {
		file := "templates/" + page.name() + ".html"
		want, err := p.render(p.builtin[l], l, page)
		if err != nil {
			return inFile(file, fmt.Errorf("%s in %s", trimmed(err), l.tag))
		}
		got, err := p.render(p.shown[l], l, page)
		if err != nil {
			return inFile(file, fmt.Errorf("shown with sample data: %s; expected what docs/pages.md lists for this page", trimmed(err)))
		}
		if err := p.checkShown(string(got), string(want)); err != nil {
			return inFile(file, fmt.Errorf("shown with sample data: %w", err))
		}
	}
	return nil
}

var (
	tag       = regexp.MustCompile(`(?is)</?[a-z][a-z0-9]*\b(?:"[^"]*"|'[^']*'|[^"'>])*>`)
	attribute = regexp.MustCompile(`(?is)\s([a-z-]+)(?:="([^"]*)"|='([^']*)'|=([^\s"'>]+))?`)
	element   = regexp.MustCompile(`^</?([A-Za-z0-9]+)`)
)

// blocked are the elements that the policy of the pages lets do nothing.
var blocked = map[string]bool{"script": true, "link": true, "iframe": true, "object": true, "embed": true, "base": true}

// elsewhere are the attributes that send a form, or a person, to another place than
// the form says.
var elsewhere = []string{"form", "formaction", "formmethod", "http-equiv"}

// checkShown holds a page against the built-in one.
func (p *Pages) checkShown(got, want string) error {
	sheet := "<style>" + string(p.style) + "</style>"
	if strings.Count(got, sheet) != 1 || strings.Count(strings.ToLower(got), "<style") != 1 {
		return errors.New("no other style than the stylesheet is let in; expected <style>{{.Style}}</style> once, in the layout")
	}
	got, want = strings.Replace(got, sheet, "", 1), strings.Replace(want, sheet, "", 1)
	for _, t := range tag.FindAllString(got, -1) {
		name := strings.ToLower(element.FindStringSubmatch(t)[1])
		if blocked[name] {
			return fmt.Errorf("it has <%s>, which the policy of the pages blocks; expected none", name)
		}
		for name := range attributes(t) {
			switch {
			case name == "style" || strings.HasPrefix(name, "on"):
				return fmt.Errorf("it has the attribute %s, which the policy of the pages blocks; expected none", name)
			case slices.Contains(elsewhere, name):
				return fmt.Errorf("it has the attribute %s, which leads people elsewhere than the built-in page; expected none", name)
			}
		}
	}
	if what := lacking(got, want); what != "" {
		return fmt.Errorf("it lacks %s in its place; expected all that the built-in page sends", what)
	}
	return nil
}

func attributes(tag string) map[string]string {
	all := map[string]string{}
	for _, m := range attribute.FindAllStringSubmatch(tag, -1) {
		all[strings.ToLower(m[1])] = m[2] + m[3] + m[4]
	}
	return all
}

// samples are pages with something of everything in them.
func samples() []Page {
	form := Form{Action: "/sample", Fields: []Field{{"transaction", "sample"}, {"turn", "1"}}}
	services := []Service{{ID: "shop", Permissions: []Permission{
		{ID: "orders.read", Resources: []Resource{{Value: "r1", Pattern: "orders/**", Chosen: true}, {Value: "r2", Pattern: "orders/*/x*", Required: true}}},
		{ID: "write", Resources: []Resource{{Value: "r3", Pattern: "**"}}},
	}}}
	scopes := []Scope{{Value: "openid", Required: true}, {Value: "profile", Chosen: true}, {Value: "offline_access"}}
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	session := Session{ID: "s1", Since: at, Method: "password", Device: "Firefox/1 Linux", Current: true}
	other := Session{ID: "s2", Since: at, Method: "partner"}
	grant := Grant{ID: "g1", Client: "Shop", Org: "Acme", Since: at, Until: at, Scopes: scopes, Services: services, Offline: true}
	return []Page{
		Login{Form: form, Client: "Shop", Username: "ada", Password: true, Providers: []Provider{{"Partner", "/sample?provider=p"}}, Problem: "credentials_wrong", Wait: 5},
		Organizations{Form: form, Client: "Shop", User: "ada", Orgs: []Org{{"acme", "Acme", true}, {ID: "beta"}}},
		Consent{
			Form: form, Client: "Shop", Destination: "shop.example.com", User: "ada", Org: "Acme", Services: services, Scopes: scopes,
			AccessLife: time.Minute, RefreshLife: 24 * time.Hour, Offline: true, Problem: "step_expired",
		},
		Account{Form: form, User: "ada", Name: "Ada", Sessions: []Session{session, other}, Grants: []Grant{grant}, Notice: "grant_revoked"},
		Logout{Form: form, Client: "Shop"},
		LoggedOut{Client: "Shop", Elsewhere: "Partner"},
		Failure{Reason: "server_error", Text: "it failed", DecisionID: "1", RetryURL: "/sample", Wait: 5},
	}
}

package pages

import (
	"strings"
	"testing"
	"time"
)

// asked is a consent page with something required, something chosen and something not.
func asked() Consent {
	return Consent{
		Form: Form{"/oauth2/authorize", []Field{{"transaction", "abc"}, {"turn", "3"}}}, Client: "Web shop", Destination: "web.example.com", User: "ada", Org: "Acme",
		Services: []Service{{ID: "shop", Permissions: []Permission{{"orders.read", []Resource{
			{Value: "r1", Pattern: "orders/**", Required: true}, {Value: "r2", Pattern: "orders/7", Chosen: true}, {Value: "r3", Pattern: "**"},
		}}}}},
		Scopes:     []Scope{{Value: "openid", Required: true}, {Value: "profile", Chosen: true}, {Value: "offline_access"}},
		AccessLife: 30 * time.Minute, RefreshLife: 24 * time.Hour,
	}
}

// TestConsentBoxes has the boxes as they were given: what is required is ticked,
// cannot be unticked, and says why.
func TestConsentBoxes(t *testing.T) {
	doc := parsed(t, shown(t, must(New("")), asking("en"), asked(), Options{}).Body.String())
	type box struct {
		name, value       string
		checked, disabled bool
		label             string
	}
	want := []box{
		{"grant", "r1", true, true, "everything under orders orders/** Web shop always needs this"},
		{"grant", "r2", true, false, "orders/7 only"},
		{"grant", "r3", false, false, "everything **"},
		{"scope", "openid", true, true, "Recognize you by your account openid Web shop always needs this"},
		{"scope", "profile", true, false, "Read your name profile"},
		{"scope", "offline_access", false, false, "Keep access when you have logged out offline_access"},
	}
	var got []box
	for _, in := range elements(doc, "input") {
		if attr(in, "type") == "checkbox" {
			got = append(got, box{attr(in, "name"), attr(in, "value"), has(in, "checked"), has(in, "disabled"), words(within(in, "label"))})
		}
	}
	if len(got) != len(want) {
		t.Fatalf("got %d boxes, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %+v\nwant %+v", got[i], want[i])
		}
	}
	form := elements(doc, "form")[0]
	for _, in := range elements(doc, "input") {
		if within(in, "form") != form {
			t.Errorf("%s is in another form", attr(in, "name"))
		}
	}
}

// TestConsentButtons has Deny as prominent as Allow: the two differ in what they
// send and say, and the key Enter denies.
func TestConsentButtons(t *testing.T) {
	for lang, want := range map[string][2]string{"en": {"Deny", "Allow"}, "de": {"Ablehnen", "Erlauben"}} {
		doc := parsed(t, shown(t, must(New("")), asking(lang), asked(), Options{}).Body.String())
		buttons := elements(doc, "button")
		if len(buttons) != 2 || buttons[0].Parent != buttons[1].Parent {
			t.Fatalf("got %d buttons", len(buttons))
		}
		for i, step := range []string{"deny", "consent"} {
			b := buttons[i]
			if words(b) != want[i] || attr(b, "name") != "step" || attr(b, "value") != step || has(b, "class") || has(b, "autofocus") {
				t.Errorf("got the button %q with %v", words(b), b.Attr)
			}
		}
		if !has(buttons[0], "formnovalidate") {
			t.Error("Deny waits for the form to be filled in")
		}
	}
}

// TestConsentSays has what a person is told before choosing.
func TestConsentSays(t *testing.T) {
	with := func(change func(*Consent)) Consent {
		c := asked()
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		page    Consent
		en, de  []string
		without []string
	}{
		"who asks, for whom": {
			asked(),
			[]string{"Allow Web shop access?", "Your answer goes to web.example.com", "Your account ada", "Organization Acme", "Read orders orders.read", "Untick what"},
			[]string{"Web shop den Zugriff erlauben?", "Ihre Antwort geht an web.example.com", "Ihr Konto ada", "Organisation Acme", "orders lesen orders.read", "Entfernen Sie die Häkchen"},
			nil,
		},
		"online": {
			asked(),
			[]string{"Web shop has access until you log out or revoke it, for at most 24 hours."},
			[]string{"Web shop hat Zugriff, bis Sie sich abmelden oder ihn widerrufen, höchstens aber 24 Stunden lang."},
			[]string{"even when you have logged out", "auch wenn Sie sich abgemeldet haben"},
		},
		"offline": {
			with(func(c *Consent) { c.Offline, c.RefreshLife = true, 30*24*time.Hour }),
			[]string{"until you revoke it, even when you have logged out, for at most 30 days. Without “Keep access when you have logged out” it ends"},
			[]string{"auch wenn Sie sich abgemeldet haben, höchstens aber 30 Tage lang. Ohne „Den Zugriff behalten, wenn Sie abgemeldet sind“ endet er"},
			nil,
		},
		"once": {
			with(func(c *Consent) { c.Offline, c.RefreshLife = true, 0 }),
			[]string{"Web shop has access for 30 minutes each time it sends you here."},
			[]string{"Web shop hat 30 Minuten lang Zugriff, jedes Mal"},
			[]string{"log out or revoke"},
		},
		"what is not shared": {
			asked(),
			[]string{"your password", "what you do not tick", "your e-mail address", "the groups that you belong to"},
			[]string{"Ihr Passwort", "alles, wo Sie kein Häkchen setzen", "Ihre E-Mail-Adresse", "die Gruppen, denen Sie angehören"},
			nil,
		},
		"what is asked for is not promised": {
			with(func(c *Consent) { c.Scopes = append(c.Scopes, Scope{Value: "email"}, Scope{Value: "grpn://admins"}) }),
			[]string{"your password"},
			[]string{"Ihr Passwort"},
			[]string{"your e-mail address Allow", "the groups that you belong to"},
		},
		"a name that may be an address": {
			with(func(c *Consent) { c.User = "ada@example.com" }),
			[]string{"your password"},
			[]string{"Ihr Passwort"},
			[]string{"your e-mail address"},
		},
		"nothing to untick": {
			with(func(c *Consent) { c.Services, c.Scopes = nil, c.Scopes[:1] }),
			[]string{"your password"},
			[]string{"Ihr Passwort"},
			[]string{"Untick", "what you do not tick", "Häkchen"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := must(New(""))
			en := words(parsed(t, shown(t, p, asking("en"), c.page, Options{}).Body.String()))
			de := words(parsed(t, shown(t, p, asking("de"), c.page, Options{}).Body.String()))
			// Values stand in elements of their own, so blanks come between.
			flat := strings.NewReplacer(" ,", ",", " .", ".", " ?", "?")
			for _, want := range c.en {
				if !strings.Contains(flat.Replace(en), want) {
					t.Errorf("%q is not in:\n%s", want, en)
				}
			}
			for _, want := range c.de {
				if !strings.Contains(flat.Replace(de), want) {
					t.Errorf("%q is not in:\n%s", want, de)
				}
			}
			for _, no := range c.without {
				if strings.Contains(en, no) || strings.Contains(de, no) {
					t.Errorf("%q is in:\n%s\n%s", no, en, de)
				}
			}
		})
	}
}

package pages

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// sends are the names and values that the buttons, links and fields of a page have.
func sends(doc *html.Node) (all []string) {
	walk(doc, func(n *html.Node) {
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "a":
			all = append(all, attr(n, "href"))
		case attr(n, "name") != "" && n.Data != "meta":
			all = append(all, attr(n, "name")+"="+attr(n, "value"))
		}
	})
	return all
}

func TestSteps(t *testing.T) {
	form := Form{"/f", []Field{{"transaction", "abc"}}}
	at := time.Date(2026, 11, 22, 18, 4, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		page    Page
		sends   string
		says    []string
		without []string
	}{
		"login": {
			Login{Form: form, Client: "Web shop", Password: true},
			"transaction=abc username= password= step=login step=deny",
			[]string{"Log in", "Web shop asks you to log in"},
			[]string{"Or log in", "wrong"},
		},
		"login again": {
			Login{Form: form, Client: "Web shop", Username: "ada", Password: true, Problem: "credentials_wrong"},
			"transaction=abc username=ada password= step=login step=deny",
			[]string{"The user name or the password is wrong."},
			[]string{"wait"},
		},
		"login later": {
			Login{Form: form, Password: true, Problem: "too_many_attempts", Wait: 61},
			"transaction=abc username= password= step=login",
			[]string{"There were too many attempts. Please wait 1 minute and 1 second, then try again."},
			[]string{"Cancel", "asks you"},
		},
		"login elsewhere": {
			Login{Form: form, Client: "Web shop", Providers: []Provider{{"Partner", "/p?provider=partner"}}},
			"transaction=abc step=deny /p?provider=partner",
			[]string{"Log in with Partner"},
			[]string{"Password", "User name", "Or log", "Nobody"},
		},
		"login nowhere": {
			Login{Form: form, Client: "Web shop"},
			"transaction=abc step=deny",
			[]string{"Nobody can log in here at the moment."},
			[]string{"Password", "User name"},
		},
		"organizations": {
			Organizations{form, "Web shop", "ada", []Org{{"acme", "Acme Industries", false}, {"beta", "", true}, {"c", "c", false}}},
			"transaction=abc organization=acme organization=beta organization=c step=organization step=deny",
			[]string{"You are logged in as ada", "Acme Industries acme beta c Continue"},
			nil,
		},
		"account": {
			Account{
				form, "ada", "Ada Lovelace",
				[]Session{{"s1", at, "password", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", true}, {ID: "s2", Method: "Partner"}},
				[]Grant{{ID: "g1", Client: "Web shop", Org: "Acme", Since: at, Until: at, Scopes: asked().Scopes, Services: asked().Services, Offline: true}, {ID: "g2", Client: "Phone"}},
				"session_ended",
			},
			"transaction=abc id=g1 step=revoke transaction=abc id=g2 step=revoke transaction=abc id=s1 step=end-session transaction=abc id=s2 step=end-session transaction=abc step=logout",
			[]string{
				"Ada Lovelace · ada", "That session has ended.", "Firefox on Linux this browser Since 22 November 2026, 18:04 UTC",
				"Logged in with User name and password Log out here", "An unknown browser Logged in with Partner Log out there",
				"Ends at the latest 22 November 2026, 18:04 UTC Keeps access when you log out.", "Read orders orders.read everything under orders orders/** orders/7 only", "Phone Loses access",
			},
			[]string{"unknown UTC", "0001"},
		},
		"an empty account": {
			Account{Form: form, User: "ada"},
			"transaction=abc step=logout",
			[]string{"No application has access", "You are not logged in anywhere."},
			nil,
		},
		"logout":            {Logout{form, "Web shop"}, "transaction=abc", []string{"Log out of Web shop ?", "applications have through it"}, nil},
		"logout of nothing": {Logout{Form: form}, "transaction=abc", []string{"Log out?"}, nil},
		"logged out":        {LoggedOut{Client: "Web shop"}, "", []string{"You are logged out of Web shop"}, []string{"may still be"}},
		"logged out here":   {LoggedOut{Elsewhere: "Example Corp"}, "", []string{"You are logged out", "You may still be logged in at Example Corp"}, nil},
		"failure": {
			Failure{Reason: "step_expired", Text: "in English", DecisionID: "id-1", RetryURL: "/again?transaction=a"},
			"/again?transaction=a",
			[]string{"This page was answered before", "Reason step_expired", "in English", "id-1"},
			[]string{"wait"},
		},
		"failure of the application": {
			Failure{Reason: "response_type_unsupported", Wait: 5},
			"",
			[]string{"The application sent a request that cannot be answered.", "Please wait 5 seconds"},
			[]string{"Try again", "Number"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			doc := parsed(t, shown(t, must(New("")), asking("en"), c.page, Options{}).Body.String())
			if got := strings.Join(sends(doc), " "); got != c.sends {
				t.Errorf("it sends %q\n     want %q", got, c.sends)
			}
			text := words(elements(doc, "main")[0])
			for _, want := range c.says {
				if !strings.Contains(text, want) {
					t.Errorf("%q is not in:\n%s", want, text)
				}
			}
			for _, no := range c.without {
				if strings.Contains(text, no) {
					t.Errorf("%q is in:\n%s", no, text)
				}
			}
		})
	}
}

// TestLoginFields has what password managers and phones look for, and puts people
// where they type next.
func TestLoginFields(t *testing.T) {
	for username, focus := range map[string]string{"": "username", "ada": "password"} {
		page := Login{Client: "Web shop", Username: username, Password: true, Problem: "credentials_wrong"}
		doc := parsed(t, shown(t, must(New("")), asking("en"), page, Options{}).Body.String())
		for name, want := range map[string]string{"username": "username", "password": "current-password"} {
			in := slices.IndexFunc(elements(doc, "input"), func(n *html.Node) bool { return attr(n, "name") == name })
			n := elements(doc, "input")[in]
			if attr(n, "autocomplete") != want || !has(n, "required") || has(n, "autofocus") != (name == focus) || attr(n, "aria-describedby") != "problem" || attr(n, "aria-invalid") != "true" {
				t.Errorf("%s: got %v", name, n.Attr)
			}
			if name == "username" && (attr(n, "autocapitalize") != "none" || attr(n, "value") != username) {
				t.Errorf("%s: got %v", name, n.Attr)
			}
			if name == "password" && (attr(n, "type") != "password" || has(n, "value")) {
				t.Errorf("%s: got %v", name, n.Attr)
			}
		}
		for _, b := range elements(doc, "button") {
			if has(b, "formnovalidate") != (attr(b, "value") == "deny") {
				t.Errorf("the button %s: got %v", words(b), b.Attr)
			}
		}
		problem := slices.IndexFunc(elements(doc, "p"), func(n *html.Node) bool { return attr(n, "id") == "problem" })
		if attr(elements(doc, "p")[problem], "role") != "alert" {
			t.Error("nobody is told of the problem who cannot see it")
		}
	}
}

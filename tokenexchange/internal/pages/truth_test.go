package pages

import (
	"strings"
	"testing"
)

// What a page says is what happens: a consent is remembered, also where a single
// token is short, and a logout leaves what was granted beyond it.
func TestPagesTellTheTruth(t *testing.T) {
	once := asked()
	once.RefreshLife = 0
	offline := asked()
	offline.Offline = true
	again := asked()
	again.Again = true
	for _, c := range []struct {
		name, lang string
		page       Page
		says, not  string
	}{
		{"a consent is remembered", "en", asked(), "What you allow is remembered", ""},
		{"a consent with offline access too", "en", offline, "What you allow is remembered", ""},
		{"a consent is remembered", "de", asked(), "Was Sie erlauben, wird gespeichert", ""},
		{"access without a refresh comes back", "en", once, "30 minutes each time it sends you here", "ends by itself"},
		{"access without a refresh comes back", "de", once, "30 Minuten lang Zugriff, jedes Mal", "endet er von selbst"},
		{"who is asked each time is told so", "en", again, "You are asked again each time", "remembered"},
		{"who is asked each time is told so", "de", again, "Sie werden jedes Mal wieder gefragt", "gespeichert"},
		{"a token names the account, whatever is ticked", "en", asked(), "learns your account and your organization as named above, in any case", ""},
		{"a token names the account, whatever is ticked", "de", asked(), "erfährt Web shop in jedem Fall Ihr Konto und Ihre Organisation, wie sie oben stehen", ""},
		{"a logout leaves offline access", "en", Logout{Client: "Shop"}, "Those that you let keep access when you have logged out keep it", "every application"},
		{"a logout leaves offline access", "de", Logout{Client: "Shop"}, "den Zugriff nach dem Abmelden zu behalten, behalten ihn", "jeder Anwendung"},
	} {
		text := words(parsed(t, shown(t, must(New("")), asking(c.lang), c.page, Options{}).Body.String()))
		if !strings.Contains(text, c.says) || c.not != "" && strings.Contains(text, c.not) {
			t.Errorf("%s, %s: got %s", c.name, c.lang, text)
		}
	}
}

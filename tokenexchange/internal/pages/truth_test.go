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
		{"who opens a bookmark is told what to do", "en", Failure{Reason: "parameter_missing"}, "begin again in the application", "nothing you can do"},
		{"who opens a bookmark is told what to do", "de", Failure{Reason: "parameter_missing"}, "Bitte beginnen Sie in der Anwendung noch einmal", "nichts daran ändern"},
		{"who comes back to a login that is over is told what to do", "en", Failure{Reason: "step_expired"}, "was answered before", ""},
		{"who comes back to a login that is over is told what to do", "de", Failure{Reason: "step_expired"}, "wurde schon beantwortet", ""},
		{"who is sent back to a page can go on there", "en", Failure{Reason: "session_ended", RetryURL: "/x"}, "Please try again", "in the application"},
		{"who is sent back to a page can go on there", "de", Failure{Reason: "session_ended", RetryURL: "/x"}, "versuchen Sie es noch einmal", "in der Anwendung"},
		{"an account that is closed until a time is so for now", "en", Login{Problem: "user_gone"}, "You cannot log in with this account at the moment", "any more"},
		{"an account that is closed until a time is so for now", "de", Login{Problem: "user_gone"}, "können Sie sich zurzeit nicht anmelden", "nicht mehr"},
		{"a logout leaves offline access", "en", Logout{Client: "Shop"}, "Applications that you allowed to keep access after a logout still have it", "every application"},
		{"a logout leaves offline access", "de", Logout{Client: "Shop"}, "den Zugriff nach dem Abmelden zu behalten, behalten ihn", "jeder Anwendung"},
	} {
		text := words(parsed(t, shown(t, must(New("")), asking(c.lang), c.page, Options{}).Body.String()))
		if !strings.Contains(text, c.says) || c.not != "" && strings.Contains(text, c.not) {
			t.Errorf("%s, %s: got %s", c.name, c.lang, text)
		}
	}
}

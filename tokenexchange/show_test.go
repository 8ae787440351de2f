package tokenexchange

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange/internal/pages"
)

// ofTheApplication are reasons that only the makers of an application can do
// something about. People are told that in general words.
var ofTheApplication = map[Reason]bool{
	"response_type_unsupported": true, "request_not_supported": true, "request_uri_not_supported": true, "registration_not_supported": true,
}

// TestReasonsInPlainWords has a text in both languages for every reason that the
// authorization endpoint has of its own, and no text for what is no reason.
func TestReasonsInPlainWords(t *testing.T) {
	docs := string(must(os.ReadFile("../docs/errors.md")))
	_, section, _ := strings.Cut(docs, "\n# The authorization endpoint\n")
	section, _, _ = strings.Cut(section, "\n# ")
	reasons := []Reason{"credentials_wrong", "too_many_attempts", "store_unavailable", "server_error", "org_not_allowed", "user_gone", "id_token_hint_invalid"}
	for _, m := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllStringSubmatch(section, -1) {
		reasons = append(reasons, Reason(m[1]))
	}
	if len(reasons) < 20 {
		t.Fatalf("got the reasons %v, want those of docs/errors.md", reasons)
	}
	for _, lang := range []string{"en", "de"} {
		var texts map[string]string
		if err := json.Unmarshal(must(os.ReadFile(filepath.Join("internal/pages/builtin/texts", lang+".json"))), &texts); err != nil {
			t.Fatal(err)
		}
		for _, r := range reasons {
			if (texts["reason."+string(r)] == "") != ofTheApplication[r] {
				t.Errorf("%s in %s: got the text %q", r, lang, texts["reason."+string(r)])
			}
		}
		for key := range texts {
			if reason, ok := strings.CutPrefix(key, "reason."); ok && answers[Reason(reason)].status == 0 {
				t.Errorf("%s in %s: there is no such reason", key, lang)
			}
		}
	}
}

// TestReplacedPageFails goes on with the built-in page, and tells the operator
// where it failed and not of what.
func TestReplacedPageFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "templates"), 0o755); err != nil {
		t.Fatal(err)
	}
	const page = `{{define "title"}}x{{end}}{{define "main"}}{{if gt (len .Client) 9}}{{index .Client 99}}{{end}}{{end}}`
	if err := os.WriteFile(filepath.Join(dir, "templates", "logged-out.html"), []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, func(c *Config) { c.Pages = must(ReadPages(dir)) })
	w := httptest.NewRecorder()
	h.show(w, httptest.NewRequest("GET", "/", nil), 200, pages.LoggedOut{Client: "an application"}, pages.Options{})
	if !strings.Contains(w.Body.String(), "<h1>You are logged out of <bdi>an application</bdi></h1>") {
		t.Errorf("got %s", w.Body)
	}
	if log := h.records.String(); strings.Count(log, "what replaces a page failed") != 1 || strings.Contains(log, "an application") {
		t.Errorf("got the log %s", log)
	}
}

// TestFailuresSpeakTheLanguageOfTheRequest, also where the request itself is what
// is wrong, and on pages that are sent back to a transaction.
func TestFailuresSpeakTheLanguageOfTheRequest(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser()
	german := func(what string) {
		t.Helper()
		if b.code != 400 || !strings.Contains(b.page, `<html lang="de"`) {
			t.Errorf("%s: got %d %.60s", what, b.code, b.page)
		}
	}
	b.open(authorizeURL("ui_locales", "de", "redirect_uri", "https://evil.example/"))
	german("a request that is refused")
	b.open(authorizeURL("ui_locales", "de")).sees("login").press("fly")
	german("a form that no page sends")
	b.open(logoutPath+"?ui_locales=de&id_token_hint=nonsense", func(r *http.Request) { r.Header.Set("Accept", "text/html") })
	german("a logout that is refused")
}

package tokenexchange

import (
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

// The redirect URI's own query stays as it is, byte for byte, and what is added
// cannot end its value.
func TestAuthorizationAnswers(t *testing.T) {
	const code = "0a1b2c3d.GRANT~-_.mac-_" // as a code looks
	iss := url.QueryEscape(issuer)
	for name, c := range map[string]struct {
		uri, state, want string
	}{
		"a code":             {callback, "s", callback + "?code=" + code + "&state=s&iss=" + iss},
		"without a state":    {callback, "", callback + "?code=" + code + "&iss=" + iss},
		"a state of signs":   {callback, "a&code=x#%00=\r\n\"<é> +", callback + "?code=" + code + "&state=a%26code%3Dx%23%2500%3D%0D%0A%22%3C%C3%A9%3E+%2B&iss=" + iss},
		"with a query":       {"https://web.example.com:8443/cb?tenant=a&x=%2f+%20", "s", "https://web.example.com:8443/cb?tenant=a&x=%2f+%20&code=" + code + "&state=s&iss=" + iss},
		"with an empty one":  {callback + "?", "s", callback + "?&code=" + code + "&state=s&iss=" + iss},
		"loopback":           {"http://[::1]:8080/cb", "s", "http://[::1]:8080/cb?code=" + code + "&state=s&iss=" + iss},
		"an app":             {"com.example.app:/callback", "s", "com.example.app:/callback?code=" + code + "&state=s&iss=" + iss},
		"a host alone":       {"https://bare.example.com", "s", "https://bare.example.com?code=" + code + "&state=s&iss=" + iss},
		"a code in its path": {"https://web.example.com/code=1", "", "https://web.example.com/code=1?code=" + code + "&iss=" + iss},
	} {
		if got := (authorizationRequest{Client: "web", RedirectURI: c.uri, State: c.state}).answer(issuer, code); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// Every reason can be told by redirect: with a code that clients of an
// authorization endpoint know, in characters that RFC 6749 section 4.1.2.1 lets
// stand there.
func TestAuthorizationRefusals(t *testing.T) {
	q := authorizationRequest{Client: "web", RedirectURI: callback, State: "s"}
	description := regexp.MustCompile(`^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`)
	address := regexp.MustCompile(`^https://[\x21\x23-\x5B\x5D-\x7E]+$`)
	known := regexp.MustCompile(`^(invalid_request|unauthorized_client|access_denied|unsupported_response_type|invalid_scope|server_error|temporarily_unavailable` +
		`|interaction_required|login_required|account_selection_required|consent_required|invalid_request_uri|invalid_request_object` +
		`|request_not_supported|request_uri_not_supported|registration_not_supported)$`)
	for r, a := range answers {
		for _, param := range []string{"", "scope"} {
			got := answerAt(t, q.refusal(issuer, &Refused{Reason: r, Param: param}), callback)
			if !known.MatchString(got.Get("error")) || !description.MatchString(got.Get("error_description")) || !address.MatchString(got.Get("error_uri")) {
				t.Errorf("%s: got %v", r, got)
			}
			if !strings.HasSuffix(got.Get("error_uri"), "#"+string(r)) || got.Get("state") != "s" || got.Get("iss") != issuer || got.Has("code") {
				t.Errorf("%s: got %v", r, got)
			}
			if text := strings.NewReplacer(`"`, "'").Replace(a.text); !strings.HasPrefix(got.Get("error_description"), text) || (param != "") != strings.HasSuffix(got.Get("error_description"), "(scope)") {
				t.Errorf("%s: got the text %q", r, got.Get("error_description"))
			}
		}
	}
	for r, want := range map[Reason]string{
		"access_denied": "access_denied", "login_required": "login_required", "consent_required": "consent_required", "organization_required": "interaction_required",
		"scope_exceeded": invalidScope, "store_unavailable": unavailable, "server_error": "server_error", "request_not_supported": "request_not_supported",
		"user_gone": "access_denied", "client_authentication": "access_denied", "no_such_reason": "server_error",
	} {
		if got := answerAt(t, q.refusal(issuer, &Refused{Reason: r}), callback).Get("error"); got != want {
			t.Errorf("%s: got %s, want %s", r, got, want)
		}
	}
}

// TestErrorsWithoutAPage holds the table of docs/login.md to what prompt=none gets.
func TestErrorsWithoutAPage(t *testing.T) {
	_, section, _ := strings.Cut(string(must(os.ReadFile("../docs/login.md"))), "\n## Without a page\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for next := stageLogin; next < stageGranted; next++ {
		if row := "\n| `" + answers[next.reason()].code + "` |"; strings.Count(section, row) != 1 {
			t.Errorf("%s: the page has not one row %q", next.reason(), row)
		}
	}
}

func TestPlainText(t *testing.T) {
	if got := plainText("a \"b\"\\ \u00e9\n\x7f~!#[]"); got != "a 'b''    ~!#[]" {
		t.Errorf("got %q", got)
	}
}

// Whatever method a browser came with, it goes on with a GET, keeps nothing and
// tells nobody where it was.
func TestSendBack(t *testing.T) {
	w := httptest.NewRecorder()
	to := (authorizationRequest{Client: "web", RedirectURI: callback, State: "s"}).answer(issuer, "c0de")
	sendBack(w, to)
	h := w.Header()
	if w.Code != 303 || h.Get("Location") != to || w.Body.Len() > 0 || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("got %d %v %q", w.Code, h, w.Body)
	}
}

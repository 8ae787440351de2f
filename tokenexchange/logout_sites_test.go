package tokenexchange

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestLogoutFromOtherSites has other sites send a browser here by POST: they
// get the button, as with a GET, and nothing ends.
func TestLogoutFromOtherSites(t *testing.T) {
	h := newHouse(t, leavers)
	login, id := h.hint()
	access, _ := login.tokens(t)
	for name, headers := range map[string]map[string]string{
		"cross-site":             {"Sec-Fetch-Site": "cross-site", "Origin": "https://web.example.com"},
		"a sibling":              {"Sec-Fetch-Site": "same-site", "Origin": "https://web.example.com"},
		"something new":          {"Sec-Fetch-Site": "x"},
		"an older browser":       {"Origin": "https://web.example.com"},
		"a hidden origin":        {"Origin": "null"},
		"its own, by its origin": {"Sec-Fetch-Site": "cross-site", "Origin": "http://example.com"},
	} {
		g := h.leave(headers, "id_token_hint", id, "post_logout_redirect_uri", bye, "state", "s")
		g.page(t, "Log out", "'self' https://web.example.com")
		if cause, _ := g.record["cause"].(string); !strings.HasPrefix(cause, "no effect") {
			t.Errorf("%s: got the record %v", name, g.record)
		}
		h.leave(headers, "id_token_hint", "x").refused(t, 400, "invalid_request", "id_token_hint_invalid")
	}
	h.lives(t, access, true)
	for name, headers := range map[string]map[string]string{
		"the button":       {"Sec-Fetch-Site": "same-origin"},
		"typed by hand":    {"Sec-Fetch-Site": "none"},
		"an older browser": {"Origin": "http://example.com"},
		"no browser":       nil,
	} {
		login, id := h.hint()
		access, _ := login.tokens(t)
		if g := h.leave(headers, "id_token_hint", id); g.status != 200 {
			t.Errorf("%s: got %d", name, g.status)
		}
		h.lives(t, access, false)
	}
}

// TestLogoutPolicies says where the form may lead: an origin, and of a
// scheme without a host what a policy can say.
func TestLogoutPolicies(t *testing.T) {
	h := httptest.NewRecorder()
	newHouse(t).askToLeave(h, httptest.NewRequest("GET", logoutPath, nil), leaving{client: &client{displayName: "x"}, uri: byeApp})
	if got := h.Header().Get("Content-Security-Policy"); !strings.Contains(got, "form-action 'self' com.example.app:;") {
		t.Errorf("got the policy %s", got)
	}
	if h.Result().StatusCode != http.StatusOK {
		t.Errorf("got %d", h.Result().StatusCode)
	}
}

package tokenexchange

import (
	"encoding/json"
	"strings"
	"testing"
)

// What a provider lets its users write themselves cannot look like something else:
// an address that nobody verified, a name with a gap, one that turns the words
// around it, one that nobody sees.
func TestNamesOfAProvider(t *testing.T) {
	h := newHouse(t, logins, federated)
	for _, tc := range []struct {
		name                  string
		preferred, email      string
		verified              bool
		username, acct, named string
	}{
		{"a name", "carla", "", false, "carla", "carla", "carla"},
		{"a name in another script", "Кира-ø", "", false, "Кира-ø", "Кира-ø", "Кира-ø"},
		{"the address of a local user, as a name", "ada@example.com", "", false, "ada@example.com", "8", "ada@example.com"},
		{"the same beside an unverified one", "ada@example.com", "ada@example.com", false, "ada@example.com", "8", "ada@example.com"},
		{"one that is verified", "carla@corp.example", "carla@corp.example", true, "carla@corp.example", "carla@corp.example", "carla@corp.example"},
		{"another one that is verified", "ada@example.com", "carla@corp.example", true, "ada@example.com", "carla@corp.example", "ada@example.com"},
		{"a verified address that is none", "carla", "ada", true, "carla", "carla", "carla"},
		{"one of nobody", "carla", "@example.com", true, "carla", "carla", "carla"},
		{"one with two hosts", "carla", "a@b@example.com", true, "carla", "carla", "carla"},
		{"one with a line break", "carla", "a\n@example.com", true, "carla", "carla", "carla"},
		{"one that turns around", "carla", "\u202Eada@example.com", true, "carla", "carla", "carla"},
		{"one that is too long", "carla", strings.Repeat("a", 250) + "@example.com", true, "carla", "carla", "carla"},
		{"a blank", "ada lovelace", "", false, "8", "8", "ada lovelace"},
		{"a blank that does not break", "ada\u00A0(admin)", "", false, "8", "8", "ada\u00A0(admin)"},
		{"an ideographic blank", "ada\u3000", "", false, "8", "8", "ada\u3000"},
		{"a line separator", "ada\u2028", "", false, "8", "8", ""},
		{"a character that turns", "ada\u202Enimda", "", false, "8", "8", ""},
		{"the end of an isolate", "ada\u2069x", "", false, "8", "8", ""},
		{"one that joins nothing", "ada\u200B", "", false, "8", "8", ""},
		{"a letter that nobody sees", "\u3164", "", false, "8", "8", ""},
		{"a selector of a variant", "ada\uFE0F", "", false, "8", "8", ""},
		{"a control character", "ada\u0007", "", false, "8", "8", ""},
		{"a private one", "ada\uE000", "", false, "8", "8", ""},
		{"too long", strings.Repeat("x", 129), "", false, "8", "8", ""},
		{"nothing", "", "", false, "8", "8", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			claims := must(json.Marshal(map[string]any{
				"sub": "8", "groups": []string{"clerks"}, "preferred_username": tc.preferred, "email": tc.email, "email_verified": tc.verified,
				"given_name": tc.preferred, "family_name": tc.preferred,
			}))
			h.registers(t, "8", string(claims))
			u, err := h.person(t.Context(), "corp:8")
			if err != nil || u == nil {
				t.Fatalf("got %v, %v", u, err)
			}
			if u.Username != tc.username || u.account() != tc.acct || u.GivenName != tc.named || u.FamilyName != tc.named {
				t.Errorf("got the username %q, acct %q and the names %q %q, want %q, %q and %q", u.Username, u.account(), u.GivenName, u.FamilyName, tc.username, tc.acct, tc.named)
			}
			if u.EmailVerified != (u.Email != "") || u.Email != "" && u.Email != u.account() {
				t.Errorf("got the address %q, verified: %v", u.Email, u.EmailVerified)
			}
		})
	}
}

// A domain that changed hands while no process ran, from a provider to a users file
// or back: whoever is logged in as one of before, in a browser or by a refresh token,
// is not logged in as the one who has the same sub now.
func TestLoginIsOfItsSource(t *testing.T) {
	users := strings.Replace(baseUsers, `{"id":"ada",`, `{"id":"2481","username":"other","domain":"corp","password_hash":"`+cheap+`","memberships":[{"org":"acme"}]},{"id":"ada",`, 1)
	h := newHouse(t, logins, federated)
	h.says(clerk)
	b := h.browser().open(authorizeURL()).leave().comeBack().sees("consent").allow()
	_, refresh := h.redeem("web", b.granted()).tokens(t)
	_, refresh = h.refresh("web", refresh).tokens(t)
	h.withUsers(users)
	b.open(accountPath).sees("login")
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "user_gone")

	h = newHouse(t, logins)
	h.withUsers(users)
	b = h.browser().open(accountPath).logIn("other").sees("account")
	_, refresh = h.token("web", "grant_type", "password", "username", "other", "password", password).tokens(t)
	_, refresh = h.refresh("web", refresh).tokens(t)
	h.withUsers(baseUsers, federated)
	h.registers(t, "2481", clerk)
	b.open(accountPath).sees("login")
	h.refresh("web", refresh).refused(t, 400, "invalid_grant", "user_gone")
	b.logIn("ada").sees("account")
}

package browser

import (
	"encoding/json"
	"fmt"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// password is that of everybody. People are many, because each scenario has its
// own: what one has agreed to is remembered.
const password = "correct horse battery staple"

// people are the users file. alice, anna, carol and clara are in the pictures; the users
// one-N have one organization and two-N have two; mallory has a name that is
// markup.
func people(t *testing.T) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	type membership struct {
		Org         string   `json:"org"`
		Permissions []string `json:"permissions"`
	}
	type user struct {
		ID          string       `json:"id"`
		Username    string       `json:"username"`
		Domain      string       `json:"domain"`
		Email       string       `json:"email"`
		Verified    bool         `json:"email_verified"`
		GivenName   string       `json:"given_name"`
		FamilyName  string       `json:"family_name"`
		Hash        string       `json:"password_hash"`
		DefaultOrg  string       `json:"default_org,omitempty"`
		Memberships []membership `json:"memberships"`
	}
	var users []user
	add := func(id, given, family string, orgs ...string) {
		u := user{ID: id, Username: id, Domain: "example.com", Email: id + "@example.com", Verified: true, GivenName: given, FamilyName: family, Hash: string(hash)}
		for _, org := range orgs {
			u.Memberships = append(u.Memberships, membership{org, []string{
				"shop/orders.read orders/eu/** orders/us/**", "shop/orders.write orders/eu/**", "reports/reports.read reports/{org}/**",
			}})
		}
		users = append(users, u)
	}
	add("alice", "Alice", "Archer", "acme", "globex")
	add("bob", "Bob", "Baker", "acme")
	add("carol", "Carol", "Carter", "acme")
	add("anna", "Anna", "Adler", "acme", "globex")
	add("clara", "Clara", "Curtius", "acme")
	add("mallory", `<script>alert(1)</script>`, `"><img src=x onerror=alert(2)>`, "acme")
	for n := range 60 {
		add(fmt.Sprint("one-", n), "One", fmt.Sprint("Person", n), "acme")
		add(fmt.Sprint("two-", n), "Two", fmt.Sprint("Person", n), "acme", "globex")
	}
	text, err := json.Marshal(map[string]any{
		"orgs": []map[string]string{
			{"id": "acme", "name": "acme", "display_name": "Acme Ltd"},
			{"id": "globex", "name": "globex", "display_name": "Globex <Corp> & Sons"},
		},
		"users": users,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

package tokenexchange

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// What somebody lost is lost at once, whatever tokens are out.
func TestTokensOfAUserWhoIsGone(t *testing.T) {
	for name, leave := range map[string]func(d *Directory){
		"disabled":              func(d *Directory) { d.bySubject["example.com:ada"].Disabled = true },
		"deleted":               func(d *Directory) { delete(d.bySubject, "example.com:ada") },
		"the last user deleted": func(d *Directory) { clear(d.bySubject) },
		"tokens_not_before": func(d *Directory) {
			later := start.Add(time.Minute)
			d.bySubject["example.com:ada"].TokensNotBefore = &later
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			g, ada, own := h.shop(t), h.adas(), h.nightlys()
			pass := func(token string) *Verdict {
				v, _ := h.pass(g, bearer(http.MethodGet, "/orders/7", token))
				return v
			}
			if v := pass(ada); !v.Allowed() {
				t.Fatalf("before: got %s, want allowed", v.Reason)
			}
			leave(h.realm.users)
			if v := pass(ada); v.Reason != scopes.ReasonTokenRevoked {
				t.Errorf("on the proxy path: got %s, want token_revoked", v.Reason)
			}
			h.exchange("batch", ada, shopAud).refused(t, 400, "invalid_request", "token_revoked")
			if v := pass(own); !v.Allowed() {
				t.Errorf("a client's own token: got %s, want allowed", v.Reason)
			}
		})
	}
}

// An e-mail address names an account only if nobody can doubt which one.
func TestAccounts(t *testing.T) {
	user := func(id, more string) string {
		return `{"id":"` + id + `","username":"` + id + `","domain":"d",` + more + `}`
	}
	users := must(Compile(baseConfig(), []string{usersPath(t, `{"users":[`+strings.Join([]string{
		user("one", `"email":"one@d","email_verified":true`),
		user("unverified", `"email":"new@d"`),
		user("off", `"email":"off@d","email_verified":true,"disabled":true`),
		user("pair1", `"email":"pair@d","email_verified":true`),
		user("pair2", `"email":"pair@d","email_verified":true`),
		user("old", `"email":"moved@d","email_verified":true,"disabled":true`),
		user("new", `"email":"moved@d","email_verified":true`),
		user("claims", `"email":"one@d"`),
		user("none", `"email_verified":true`),
	}, ",")+`]}`)})).users
	for email, want := range map[string]string{
		"one@d": "d:one", "moved@d": "d:new", "new@d": "", "off@d": "", "pair@d": "", "": "", "ONE@d": "", "one@D": "", " one@d": "", "one": "", "d:one": "",
	} {
		got := ""
		if u := users.account(email); u != nil {
			got = u.subject()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", email, got, want)
		}
	}
	if users.user("d:one") == nil || users.user("one") != nil || users.user("") != nil || new(Directory).account("") != nil {
		t.Error("a user is found by something else than the sub")
	}
}

// What a token says of a user is what the users files say now.
func TestMintUser(t *testing.T) {
	text := strings.NewReplacer(
		`"groups":[{"id":"g1","name":"G"}]`, `"groups":[{"id":"g1","name":"G"},{"id":"g2"}]`,
		`"groups":["g1"]`, `"groups":["g2","g1"]`,
		`"email_verified":true`, `"email_verified":true,"given_name":"Ada","family_name":"L"`,
	).Replace(baseUsers)
	ada := must(Compile(baseConfig(), []string{usersPath(t, text)})).users.user("example.com:ada")
	u, ok := ada.mintUser("acme", start)
	if !ok || u.Subject != "example.com:ada" || u.Account != "ada@example.com" || u.Email != "ada@example.com" || !u.EmailVerified ||
		u.GivenName != "Ada" || u.FamilyName != "L" || u.Org != "acme" || !u.AuthTime.Equal(start) || !slices.Equal(u.Roles, []string{"csp:org_member"}) {
		t.Errorf("got %+v, want ada in acme", u)
	}
	if want := []mint.Group{{ID: "g2", Name: "g2"}, {ID: "g1", Name: "G"}}; !slices.Equal(u.Groups, want) {
		t.Errorf("got the groups %v, want %v: in the order of the file, without a name by its id", u.Groups, want)
	}
	if beta, ok := ada.mintUser("beta", start); !ok || len(beta.Groups)+len(beta.Roles) > 0 || beta.Rights.Equal(u.Rights) {
		t.Errorf("got %+v in beta, want what she is there", beta)
	}
	for _, org := range []string{"", "zeta", "ACME"} {
		if _, ok := ada.mintUser(org, start); ok {
			t.Errorf("she is a member of %q", org)
		}
	}
	ada.Disabled = true
	if u, ok := ada.mintUser("acme", start); ok || u.Subject != "" {
		t.Error("a disabled user gets a token")
	}
}

func TestStateIsEchoed(t *testing.T) {
	h := newHouse(t)
	g := h.token("nightly", "grant_type", "client_credentials", "state", "a b&c")
	g.granted(t)
	if got := g.body["state"]; got != "a b&c" {
		t.Errorf("got state %v, want what was sent", got)
	}
}

// A copy of a header that holds no credential is no leak of one.
func TestCopiesOfHarmlessHeadersAreNoLeak(t *testing.T) {
	h := newHouse(t)
	path := "/orders/a-name-that-is-longer-than-thirty-two-bytes"
	r := bearer(http.MethodGet, path, h.adas())
	r.Header.Set("X-Original-Url", path)
	r.Header.Set("X-Forwarded-Uri", path)
	if v, _ := h.pass(h.shop(t), r); !v.Allowed() {
		t.Errorf("got %s, want allowed", v.Reason)
	}
	if r.Header.Get("X-Original-Url") != "" || r.Header.Get("X-Forwarded-Uri") != "" {
		t.Error("the headers reach the upstream")
	}
}

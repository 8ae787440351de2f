package mint_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// names returns the names of claims, sorted.
func names(claims map[string]any) []string { return slices.Sorted(maps.Keys(claims)) }

// identified signs the id token beside a first token of person, whose scope was
// limited to the words.
func identified(t tb, w *world, u mint.User, c *mint.Client, scope string, o mint.IDOptions) map[string]any {
	t.Helper()
	draft := must(must(w.First(u, c)).Limit(strings.Fields(scope)))
	return payload(t, must(w.SignID(must(draft.Identity(o)), "")).Raw)
}

func TestIDTokenSays(t *testing.T) {
	w := newWorld()
	login := start.Add(-time.Minute)
	u := person()
	u.AuthTime = login
	draft := must(must(w.First(u, portal())).Limit([]string{"openid"}))
	access := must(w.Sign(draft))
	id := must(w.SignID(must(draft.Identity(mint.IDOptions{Nonce: "n-0S6"})), access.Raw))
	claims, beside := payload(t, id.Raw), payload(t, access.Raw)
	want := []string{
		"acct", "at_hash", "aud", "auth_time", "azp", "context", "context_name", "domain", "exp", "grant_id",
		"iat", "iss", "jti", "nonce", "sid", "sub", "username",
	}
	if got := names(claims); !slices.Equal(got, want) {
		t.Errorf("claims: got %q, want %q", got, want)
	}
	sum := sha256.Sum256([]byte(access.Raw))
	for name, want := range map[string]any{
		"iss": issuer, "sub": "example.com:ada", "aud": "web", "azp": "web", "nonce": "n-0S6", "auth_time": float64(login.Unix()),
		"at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]), "acct": "ada@example.com", "username": "ada",
		"domain": "example.com", "context_name": "acme", "context": beside["grant_id"], "sid": beside["sid"],
		"grant_id": beside["grant_id"], "iat": beside["iat"], "exp": beside["exp"],
	} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	if claims["jti"] == beside["jti"] || claims["jti"] != id.ID || id.Audience != "web" || id.ExpiresIn != access.ExpiresIn {
		t.Errorf("got jti %v, %+v", claims["jti"], id)
	}
	head := must(base64.RawURLEncoding.DecodeString(strings.Split(id.Raw, ".")[0]))
	if string(head) != `{"alg":"RS256","kid":"rsa","typ":"JWT"}` {
		t.Errorf("header: got %s", head)
	}
	if strings.Contains(string(must(json.Marshal(beside))), "nonce") || slices.Contains(texts(beside["aud"]), "web") {
		t.Errorf("the access token says what only an id token may: %v", beside)
	}
}

// The scope says what the id token tells of the user. What was not verified or
// is not known is left out.
func TestScopeSaysWhatIsTold(t *testing.T) {
	w := newWorld()
	base := names(identified(t, w, person(), portal(), "openid", mint.IDOptions{}))
	unverified, noMail, onlyGiven, onlyFamily := person(), person(), person(), person()
	unverified.EmailVerified, noMail.Email = false, ""
	onlyGiven.FamilyName, onlyFamily.GivenName = "", ""
	for name, c := range map[string]struct {
		user  mint.User
		scope string
		want  map[string]any
	}{
		"nothing":           {person(), "openid orders offline_access", nil},
		"profile":           {person(), "openid profile", map[string]any{"name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace", "preferred_username": "ada"}},
		"only a given name": {onlyGiven, "openid profile", map[string]any{"name": "Ada", "given_name": "Ada", "preferred_username": "ada"}},
		"only a family":     {onlyFamily, "openid profile", map[string]any{"name": "Lovelace", "family_name": "Lovelace", "preferred_username": "ada"}},
		"no name":           {ada(), "openid profile", map[string]any{"preferred_username": "ada"}},
		"email":             {person(), "openid email", map[string]any{"email": "ada@example.com", "email_verified": true}},
		"unverified email":  {unverified, "openid email", nil},
		"verified nothing":  {noMail, "openid email", nil},
	} {
		claims := identified(t, w, c.user, portal(), c.scope, mint.IDOptions{})
		if got, want := names(claims), slices.Sorted(slices.Values(slices.Concat(base, names(c.want)))); !slices.Equal(got, want) {
			t.Errorf("%s: got the claims %q, want %q", name, got, want)
		}
		for claim, want := range c.want {
			if claims[claim] != want {
				t.Errorf("%s: %s: got %v, want %v", name, claim, claims[claim], want)
			}
		}
	}
}

// The words for groups add up; the two lists have one order and one bound.
func TestGroupsInIDToken(t *testing.T) {
	w := newWorld()
	words := func(s string) []string { return strings.Fields(s) }
	for name, c := range map[string]struct {
		scope      string
		max, asked int
		ids, names string
		cut        bool
	}{
		"none asked":             {"", 9, 0, "", "", false},
		"ids":                    {"group_ids", 9, 0, "g1 g2 g3 g4", "", false},
		"names":                  {"group_names", 9, 0, "", "Red Green Blue Blue", false},
		"both":                   {"group_names group_ids", 9, 0, "g1 g2 g3 g4", "Red Green Blue Blue", false},
		"one by id":              {"grpid://g2", 9, 0, "g2", "", false},
		"all of one name":        {"grpn://Blue", 9, 0, "", "Blue Blue", false},
		"one by each":            {"grpn://Blue grpid://g2", 9, 0, "g2", "Blue Blue", false},
		"ids and one of them":    {"group_ids grpid://g2", 9, 0, "g1 g2 g3 g4", "", false},
		"ids and one name":       {"group_ids grpn://Blue", 9, 0, "g1 g2 g3 g4", "Blue Blue", false},
		"the client's bound":     {"group_ids group_names", 3, 0, "g1 g2 g3", "Red Green Blue", true},
		"the client's, of names": {"group_names", 3, 0, "", "Red Green Blue", true},
		"exactly the bound":      {"group_ids", 4, 0, "g1 g2 g3 g4", "", false},
		"asked for less":         {"group_ids group_names", 3, 1, "g1", "Red", true},
		"asked for all there is": {"group_ids", 9, 4, "g1 g2 g3 g4", "", false},
		"asked for more":         {"group_ids", 3, 4, "g1 g2 g3", "", true},
		"asked for none":         {"group_ids", 3, 0, "g1 g2 g3", "", true},
		"asked for less than 0":  {"group_ids", 3, -1, "g1 g2 g3", "", true},
		"a bound of 0":           {"group_ids", 0, 2, "", "", true},
		"a bound below 0":        {"group_ids", -1, 0, "", "", true},
		"one list cut":           {"group_ids grpn://Green", 3, 2, "g1 g2", "", true},
	} {
		client := portal()
		client.MaxGroups = c.max
		if name == "one list cut" {
			client.Scopes, c.names = append(client.Scopes, "grpn://Green"), "Green"
		}
		claims := identified(t, w, person(), client, "openid "+c.scope, mint.IDOptions{MaxGroups: c.asked})
		if got := texts(claims["group_ids"]); !slices.Equal(got, words(c.ids)) {
			t.Errorf("%s: group_ids: got %q, want %q", name, got, c.ids)
		}
		if got := texts(claims["group_names"]); !slices.Equal(got, words(c.names)) {
			t.Errorf("%s: group_names: got %q, want %q", name, got, c.names)
		}
		if got, has := claims["groups_truncated"]; has != c.cut || has && got != true {
			t.Errorf("%s: groups_truncated: got %v, want %v", name, got, c.cut)
		}
	}
	none := person()
	none.Groups = nil
	if claims := identified(t, w, none, portal(), "openid group_ids", mint.IDOptions{}); claims["group_ids"] != nil || claims["groups_truncated"] != nil {
		t.Errorf("no groups: got %v", claims)
	}
	// A group that the user is not in is not told, whatever is asked.
	stranger := portal()
	stranger.Scopes = []string{"openid", "grpid://g9", "grpn://Black", "grpid://", "grpn://", "grpid://G2", "grpn://blue"}
	if claims := identified(t, w, person(), stranger, "", mint.IDOptions{}); claims["group_ids"] != nil || claims["group_names"] != nil {
		t.Errorf("groups of others: got %v, %v", claims["group_ids"], claims["group_names"])
	}
}

// An id token stands beside the first token of a user, and only with openid.
func TestWhoGetsAnIDToken(t *testing.T) {
	w := newWorld()
	first := must(w.First(person(), portal()))
	c := portal()
	c.Own = everything
	subject := must(w.admit(must(w.Sign(first)).Raw))
	elsewhere := person()
	elsewhere.Org = "beta"
	customer := person()
	customer.Subject = "example.com:bob"
	granted := mint.Granted{ID: "G", Session: "S", Scope: "openid email", Set: everything}
	for name, c := range map[string]struct {
		draft mint.Draft
		want  mint.Reason
	}{
		"first":             {first, ""},
		"renewed":           {must(w.Renew(person(), portal(), granted)), ""},
		"narrowed":          {must(first.Narrow(askFor("crm", "contacts.read"))), ""},
		"without openid":    {must(first.Limit([]string{"email", "orders"})), mint.ScopeExceeded},
		"openid not listed": {must(w.First(person(), web())), mint.ScopeExceeded},
		"a client's own":    {must(w.OwnClient(c, "acme")), mint.ScopeExceeded},
		"exchanged":         {must(w.Derive(subject, c, target(t, w, "https://shop.example.com"))), mint.ScopeExceeded},
		"delegated":         {must(w.Delegate(subject, c, target(t, w, "https://shop.example.com"))), mint.ScopeExceeded},
		"switched":          {must(w.Switch(subject.(mint.UserToken), elsewhere, c)), mint.ScopeExceeded},
		"impersonated":      {must(w.Impersonate(subject.(mint.UserToken), customer, c, everything)), mint.ScopeExceeded},
		"zero":              {mint.Draft{}, mint.ScopeExceeded},
	} {
		id, err := c.draft.Identity(mint.IDOptions{})
		if reason(t, err) != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if _, signErr := w.SignID(id, ""); (signErr == nil) != (c.want == "") {
			t.Errorf("%s: signing what came back: got %v", name, signErr)
		}
	}
	if _, err := w.SignID(mint.IDDraft{}, ""); reason(t, err) != mint.TokenSpent {
		t.Errorf("the zero draft: got %v, want token_spent", err)
	}
}

func TestIDTokenLives(t *testing.T) {
	w := newWorld()
	draft := must(w.First(person(), portal())).Shorten(time.Minute)
	id := must(draft.Identity(mint.IDOptions{}))
	for v, want := range map[time.Duration]int64{0: 60, -time.Hour: 60, time.Second: 1, time.Hour: 60} {
		if got := must(w.SignID(id.Shorten(v), "")).ExpiresIn; got != want {
			t.Errorf("Shorten(%s): got %d s, want %d", v, got, want)
		}
	}
}

func TestIDTokenTooLarge(t *testing.T) {
	w, u, c := newWorld(), person(), portal()
	c.MaxGroups, u.Groups = 1000, nil
	for range 400 {
		u.Groups = append(u.Groups, mint.Group{ID: strings.Repeat("g", 20), Name: "x"})
	}
	id := must(must(w.First(u, c)).Identity(mint.IDOptions{}))
	if _, err := w.SignID(id, ""); reason(t, err) != mint.TokenTooLarge {
		t.Errorf("got %v, want token_too_large", err)
	}
	if issued, err := w.SignID(id.CapGroups(50), ""); err != nil || len(issued.Raw) > mint.MaxIssued {
		t.Errorf("with fewer groups: got %v", err)
	}
	noKey := portal()
	noKey.IDAlg = ""
	if _, err := w.SignID(must(must(w.First(u, noKey)).Identity(mint.IDOptions{MaxGroups: 1})), ""); err == nil {
		t.Error("an id token was signed without an algorithm")
	}
}

// With openid, or without rights, a first token is meant for the issuer too.
func TestIssuerInAudience(t *testing.T) {
	w := newWorld()
	for name, c := range map[string]struct {
		rights scopes.Set
		scope  string
		want   []string
	}{
		"openid":           {set("shop/orders.read **"), "openid", []string{"https://shop.example.com", issuer}},
		"another scope":    {set("shop/orders.read **"), "email", []string{"https://shop.example.com"}},
		"openid, no right": {scopes.Set{}, "openid", []string{issuer}},
		"neither":          {scopes.Set{}, "orders", []string{issuer}},
	} {
		u := ada()
		u.Rights = c.rights
		first := must(must(w.First(u, portal())).Limit([]string{c.scope}))
		again := must(w.Renew(u, portal(), mint.Granted{ID: "G", Scope: c.scope, Set: everything}))
		for kind, draft := range map[string]mint.Draft{"first": first, "renewed": again} {
			if got := must(w.Sign(draft)).Audience; !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: got aud %q, want %q", name, kind, got, c.want)
			}
		}
	}
}

package mint_test

import (
	"crypto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// idOf signs an id token for a draft.
func idOf(w *world, d mint.Draft) string {
	return must(w.SignID(must(d.Identity(mint.IDOptions{Nonce: "N"})), "an access token")).Raw
}

// regularID are the claims of an id token that is accepted.
func regularID(change map[string]string) string {
	members := map[string]string{"aud": `"web"`, "client_id": "", "nbf": ""}
	for name, text := range change {
		members[name] = text
	}
	return regular(members)
}

func agent() *mint.Client {
	c := portal()
	c.ID = "agent"
	return c
}

// The client of an id token is its one audience. The rest is as strict as for
// access tokens, and neither is the other.
func TestReadIDToken(t *testing.T) {
	w := newWorld()
	for name, c := range map[string]struct {
		change map[string]string
		want   mint.Reason
	}{
		"regular":                  {nil, ""},
		"nbf in the future":        {map[string]string{"nbf": "1777636831"}, mint.TokenNotYetValid},
		"two audiences":            {map[string]string{"aud": `["web","agent"]`}, mint.TokenAudience},
		"two equal ones":           {map[string]string{"aud": `["web","web"]`}, mint.TokenAudience},
		"two, and a client_id":     {map[string]string{"aud": `["web","agent"]`, "client_id": `"web"`}, mint.TokenAudience},
		"one in an array":          {map[string]string{"aud": `["web"]`}, ""},
		"an empty one":             {map[string]string{"aud": `""`}, mint.TokenMalformed},
		"an empty one in an array": {map[string]string{"aud": `[""]`}, mint.TokenMalformed},
		"iss missing":              {map[string]string{"iss": ""}, mint.TokenMalformed},
		"sub missing":              {map[string]string{"sub": ""}, mint.TokenMalformed},
		"aud missing":              {map[string]string{"aud": ""}, mint.TokenMalformed},
		"exp missing":              {map[string]string{"exp": ""}, mint.TokenMalformed},
		"iat missing":              {map[string]string{"iat": ""}, mint.TokenMalformed},
		"jti missing":              {map[string]string{"jti": ""}, mint.TokenMalformed},
		"expired":                  {map[string]string{"exp": "1777636700"}, mint.TokenExpired},
		"foreign":                  {map[string]string{"iss": `"https://evil.example"`}, mint.TokenIssuer},
		"bound":                    {map[string]string{"cnf": `{}`}, mint.TokenBinding},
		"five hops":                {map[string]string{"via": `["a","b","c","d","e"]`}, mint.ChainTooLong},
	} {
		subject, err := w.admitID(forgedID(regularID(c.change)))
		if reason(t, err) != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if err != nil {
			continue
		}
		if _, ok := subject.(mint.IDToken); !ok || mint.Facts(subject).ClientID() != "web" {
			t.Errorf("%s: got %T of client %q, want an id token of web", name, subject, mint.Facts(subject).ClientID())
		}
	}
	// A client_id says nothing here: aud decides.
	other := must(w.admitID(forgedID(regularID(map[string]string{"client_id": `"agent"`}))))
	if got := mint.Facts(other).ClientID(); got != "web" {
		t.Errorf("client: got %q, want web", got)
	}
	if _, err := w.admit(forgedID(regularID(nil))); reason(t, err) != mint.TokenType {
		t.Errorf("as an access token: got %v, want token_type", err)
	}
	if _, err := w.admitID(forged(regular(nil))); reason(t, err) != mint.TokenType {
		t.Errorf("an access token as an id token: got %v, want token_type", err)
	}
	if _, err := theRing().Verify(forged(regularID(nil))); reason(t, err) != mint.TokenMalformed {
		t.Errorf("an access token without client_id: got %v, want token_malformed", err)
	}
}

// What ends an access token ends an id token of the same grant.
func TestIdentifiersOfIDTokens(t *testing.T) {
	w := newWorld()
	draft := must(w.First(person(), portal()))
	raw := idOf(w, draft)
	w.now = start.Add(time.Minute)
	shop := target(t, w, "https://shop.example.com")
	derived := must(w.SignID(must(w.DeriveID(must(w.admitID(raw)), agent(), shop)), "")).Raw
	first, second := must(w.ring.Verify(raw)).Identifiers(), must(w.ring.Verify(derived)).Identifiers()
	want := mint.Identifiers{
		ID: first.ID, GrantID: draft.GrantID(), Session: draft.Session(), Subject: "example.com:ada", ClientID: "web", IssuedAt: time.Unix(start.Unix(), 0), LoginAt: time.Unix(start.Unix(), 0),
	}
	if first != want || first.ID == "" || first.Session == "" {
		t.Errorf("got %+v, want %+v", first, want)
	}
	want.ID, want.RootID, want.ClientID, want.Hops[0] = second.ID, first.ID, "https://shop.example.com", "agent"
	if second != want || second.ID == first.ID {
		t.Errorf("derived: got %+v, want %+v", second, want)
	}
}

func TestDeriveIDSays(t *testing.T) {
	w := newWorld()
	u, c := person(), agent()
	u.AuthTime = start.Add(-time.Minute)
	c.MaxGroups, c.AccessValidity, c.IDAlg = 2, time.Hour, mint.ES256
	online := portal()
	online.Scopes = slices.DeleteFunc(online.Scopes, func(word string) bool { return word == mint.Offline })
	draft := must(w.First(u, online))
	access, raw := must(w.Sign(draft)), idOf(w, draft)
	shop := target(t, w, "https://shop.example.com")
	w.now = start.Add(10 * time.Minute)
	base := []string{
		"acct", "aud", "auth_time", "azp", "context", "context_name", "domain", "exp", "grant_id",
		"iat", "iss", "jti", "root_iat", "root_jti", "sid", "sub", "username", "via",
	}
	for name, from := range map[string]struct {
		subject mint.Subject
		raw     string
		more    []string
	}{
		"an id token":           {must(w.admitID(raw)), raw, []string{"group_ids", "group_names", "groups_truncated"}},
		"a first access token":  {must(w.admit(access.Raw)), access.Raw, nil},
		"with its access token": {must(w.admit(access.Raw)), access.Raw, []string{"at_hash"}},
	} {
		beside := ""
		if slices.Contains(from.more, "at_hash") {
			beside = access.Raw
		}
		issued := must(w.SignID(must(w.DeriveID(from.subject, c, shop)), beside))
		claims, before := payload(t, issued.Raw), payload(t, from.raw)
		if got, want := names(claims), slices.Sorted(slices.Values(slices.Concat(base, from.more))); !slices.Equal(got, want) {
			t.Errorf("%s: got the claims %q, want %q", name, got, want)
		}
		for claim, want := range map[string]any{
			"aud": "https://shop.example.com", "azp": "agent", "root_jti": before["jti"], "root_iat": float64(start.Unix()), "exp": before["exp"],
			"sub": before["sub"], "sid": before["sid"], "grant_id": before["grant_id"], "auth_time": before["auth_time"], "acct": "ada@example.com",
			"username": "ada", "domain": "example.com", "context": before["context"], "context_name": "acme",
		} {
			if claims[claim] != want {
				t.Errorf("%s: %s: got %v, want %v", name, claim, claims[claim], want)
			}
		}
		if got := texts(claims["via"]); !slices.Equal(got, []string{"agent"}) {
			t.Errorf("%s: via: got %q", name, got)
		}
		if slices.Contains(from.more, "group_ids") && (strings.Join(texts(claims["group_ids"]), " ") != "g1 g2" || strings.Join(texts(claims["group_names"]), " ") != "Red Green") {
			t.Errorf("%s: groups: got %v, %v", name, claims["group_ids"], claims["group_names"])
		}
		if issued.ExpiresIn != 20*60 {
			t.Errorf("%s: lives %d s, longer than its subject", name, issued.ExpiresIn)
		}
	}
	// A cut that was made stays marked, and a caller without a bound gets no group.
	shorter, none := payload(t, must(w.SignID(must(must(w.First(u, portal())).Identity(mint.IDOptions{MaxGroups: 1})), "")).Raw), agent()
	if shorter["groups_truncated"] != true {
		t.Fatal("the cut is not marked")
	}
	cut := must(w.admitID(must(w.SignID(must(must(w.First(u, portal())).Identity(mint.IDOptions{MaxGroups: 1})), "")).Raw))
	if claims := payload(t, must(w.SignID(must(w.DeriveID(cut, agent(), shop)), "")).Raw); claims["groups_truncated"] != true || len(texts(claims["group_ids"])) != 1 {
		t.Errorf("a cut list: got %v, %v", claims["group_ids"], claims["groups_truncated"])
	}
	none.MaxGroups = 0
	if claims := payload(t, must(w.SignID(must(w.DeriveID(cut, none, shop)), "")).Raw); claims["group_ids"] != nil || claims["groups_truncated"] != true {
		t.Errorf("no bound: got %v, %v", claims["group_ids"], claims["groups_truncated"])
	}
}

// Every kind of subject, held against the exchange for an id token.
func TestWhatIDTokensAreMadeFrom(t *testing.T) {
	w := newWorld()
	shop, client := target(t, w, "https://shop.example.com"), portal()
	client.Own = everything
	up, _ := w.Upstream("shop")
	admitted := func(d mint.Draft) mint.Subject { return must(w.admit(must(w.Sign(d)).Raw)) }
	first := must(w.First(person(), client))
	user := admitted(first)
	customer := person()
	customer.Subject = "example.com:bob"
	elsewhere := person()
	elsewhere.Org = "beta"
	access := func(change map[string]string) mint.Subject {
		change["scope"] = `"openid"`
		return must(w.admit(forged(regular(change))))
	}
	id := func(change map[string]string) mint.Subject { return must(w.admitID(forgedID(regularID(change)))) }
	silent := agent()
	silent.Scopes = []string{"profile", "OpenID"}
	for name, c := range map[string]struct {
		subject mint.Subject
		caller  *mint.Client
		to      mint.Target
		want    mint.Reason
	}{
		"an id token":                        {id(nil), agent(), shop, ""},
		"by a client without openid":         {id(nil), silent, shop, ""},
		"an id token with act":               {id(map[string]string{"act": actors(1)}), agent(), shop, mint.SubjectKind},
		"an id token of an operator":         {id(map[string]string{"act": `{"sub":"example.com:op"}`}), agent(), shop, mint.SubjectKind},
		"an id token of a client":            {id(map[string]string{"sub": `"web"`}), agent(), shop, mint.SubjectKind},
		"an id token of a guard":             {id(map[string]string{"sub": `"guard:shop"`}), agent(), shop, mint.SubjectKind},
		"an id token of three hops":          {id(map[string]string{"via": `["a","b","c"]`}), agent(), shop, ""},
		"an id token of four hops":           {id(map[string]string{"via": `["a","b","c","d"]`}), agent(), shop, mint.ChainTooLong},
		"an id token for another":            {id(map[string]string{"may_act": `{"sub":"other"}`}), agent(), shop, mint.ExchangeRefused},
		"an id token for the caller":         {id(map[string]string{"may_act": `{"sub":"agent"}`}), agent(), shop, ""},
		"a marked one":                       {id(map[string]string{"scopegate_mode": `"audit"`}), agent(), shop, mint.ExchangeRefused},
		"to nowhere":                         {id(nil), agent(), mint.Target{}, mint.TokenAudience},
		"to an upstream":                     {id(nil), agent(), up, mint.TargetNotUpstream},
		"a first token":                      {user, agent(), shop, ""},
		"a first token to nowhere":           {user, agent(), mint.Target{}, mint.TokenAudience},
		"a first token to an upstream":       {user, agent(), up, mint.TargetNotUpstream},
		"by a client without openid, again":  {user, silent, shop, mint.ExchangeRefused},
		"a first token without openid":       {admitted(must(w.First(person(), web()))), agent(), shop, mint.SubjectKind},
		"narrowed by allowed_resource_scope": {admitted(must(first.Narrow(askFor("crm", "contacts.read")))), agent(), shop, mint.SubjectKind},
		"narrowed by scope":                  {admitted(must(first.Limit([]string{"openid"}))), agent(), shop, mint.SubjectKind},
		"with via":                           {access(map[string]string{"via": `["a"]`}), agent(), shop, mint.SubjectKind},
		"with a root":                        {access(map[string]string{"root_jti": `"R"`, "root_iat": "1777636800"}), agent(), shop, mint.SubjectKind},
		"with act":                           {access(map[string]string{"act": actors(1)}), agent(), shop, mint.SubjectKind},
		"a client's own":                     {admitted(must(w.OwnClient(client, "acme"))), agent(), shop, mint.SubjectKind},
		"exchanged":                          {admitted(must(w.Derive(user, agent(), shop))), agent(), shop, mint.SubjectKind},
		"delegated":                          {admitted(must(w.Delegate(user, agent(), shop))), agent(), shop, mint.SubjectKind},
		"switched":                           {admitted(must(w.Switch(user.(mint.UserToken), elsewhere, client))), agent(), shop, mint.SubjectKind},
		"impersonated":                       {admitted(must(w.Impersonate(user.(mint.UserToken), customer, client, everything))), agent(), shop, mint.SubjectKind},
		"none":                               {nil, agent(), shop, mint.SubjectKind},
		"a zero id token":                    {mint.IDToken{}, agent(), shop, mint.SubjectKind},
		"a zero user token":                  {mint.UserToken{}, agent(), shop, mint.SubjectKind},
	} {
		draft, err := w.DeriveID(c.subject, c.caller, c.to)
		if reason(t, err) != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
		if _, signErr := w.SignID(draft, ""); (signErr == nil) != (err == nil) {
			t.Errorf("%s: signing what came back: got %v", name, signErr)
		}
	}
}

// At its end a token still verifies, by the leeway, and nothing comes of it.
func TestNothingIsMadeAtTheEnd(t *testing.T) {
	w := newWorld()
	shop, access := target(t, w, "https://shop.example.com"), must(w.First(person(), portal()))
	raw, id := must(w.Sign(access)).Raw, idOf(w, access)
	for ahead, want := range map[time.Duration]mint.Reason{
		30*time.Minute - time.Second: "", 30 * time.Minute: mint.TokenExpired, 30*time.Minute + 4*time.Second: mint.TokenExpired,
	} {
		w.now = start.Add(ahead)
		if _, err := w.Sign(must(w.Derive(must(w.admit(raw)), web(), shop))); reason(t, err) != want {
			t.Errorf("an access token after %s: got %v, want %q", ahead, err, want)
		}
		for kind, subject := range map[string]mint.Subject{"id": must(w.admitID(id)), "access": must(w.admit(raw))} {
			if _, err := w.SignID(must(w.DeriveID(subject, agent(), shop)), ""); reason(t, err) != want {
				t.Errorf("an id token from an %s token after %s: got %v, want %q", kind, ahead, err, want)
			}
		}
	}
}

// No exchange of access tokens takes an id token, whatever it says.
func TestIDTokenIsNoAccessToken(t *testing.T) {
	w := newWorld()
	up, _ := w.Upstream("shop")
	raw := forge(jwt.SigningMethodES256, crypto.Signer(ecKey()), `{"alg":"ES256","kid":"ec","typ":"JWT"}`,
		regularID(map[string]string{"allowed_resource_scope": goodSet, "scope": `"openid"`}))
	for subject, name := range map[mint.Subject]string{
		must(w.admitID(raw)): "an id token with rights", mint.IDToken{}: "a zero id token", mint.UserToken{}: "a zero user token",
		mint.ImpersonatedToken{}: "a zero impersonated token", nil: "none",
	} {
		for _, to := range []mint.Target{up, target(t, w, "https://shop.example.com")} {
			if _, err := w.Derive(subject, web(), to); reason(t, err) != mint.SubjectKind {
				t.Errorf("Derive of %s: got %v, want subject_kind", name, err)
			}
			if _, err := w.Delegate(subject, web(), to); reason(t, err) != mint.SubjectKind {
				t.Errorf("Delegate of %s: got %v, want subject_kind", name, err)
			}
		}
	}
}

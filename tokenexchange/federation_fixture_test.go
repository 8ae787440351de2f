package tokenexchange

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

const corpIssuer = "https://idp.example.com"

// fakeProvider stands for another OpenID provider. It notes what it is given, and
// says what it is told to.
type fakeProvider struct {
	departure Departure
	arrival   Arrival
	finished  int
	away      error
	identity  Identity
	err       error
}

func (p *fakeProvider) Begin(_ context.Context, d Departure) (string, error) {
	if p.away != nil {
		return "", p.away
	}
	p.departure = d
	secret("a nonce", d.Nonce)
	secret("a verifier", d.Verifier)
	return corpIssuer + "/authorize?" + url.Values{"state": {d.State}}.Encode(), nil
}

func (p *fakeProvider) Finish(_ context.Context, a Arrival) (Identity, error) {
	p.arrival = a
	p.finished++
	if p.err != nil {
		return Identity{}, p.err
	}
	return p.identity, nil
}

// during is a provider during whose answer something else happens.
type during struct {
	*fakeProvider
	happens func()
}

func (p during) Finish(ctx context.Context, a Arrival) (Identity, error) {
	p.happens()
	return p.fakeProvider.Finish(ctx, a)
}

// loginProviders are those of a realm, each one that stays the same over reloads.
func (h *house) loginProviders(r *Realm) map[string]LoginProvider {
	all := map[string]LoginProvider{}
	for domain := range r.Providers() {
		if h.providers[domain] == nil {
			h.providers[domain] = &fakeProvider{}
		}
		all[domain] = h.providers[domain]
	}
	return all
}

// federated lets the users of another provider log in.
func federated(c *Config) {
	c.UsersOIDC = []ProviderConfig{{
		Issuer: corpIssuer, ClientID: "scopegate", ClientSecret: NewCredential(secret("the secret at the provider", "the secret that we have there")),
		DisplayName: "Example Corp", Domain: "corp", Org: "acme",
		Map: []MapLine{
			{Claim: "groups", Value: "clerks", Permission: "shop/orders.read", Patterns: []string{"orders/**"}},
			{Claim: "groups", Value: "clerks", Roles: []string{"csp:org_member"}},
			{Claim: "realm_access.roles", Value: "writer", Permission: "shop/orders.write", Patterns: []string{"orders/{claim:region}/**"}},
			{Claim: "sub", Value: "2481", Roles: []string{"csp:support"}},
		},
	}}
}

// says makes the provider of corp say that somebody has just logged in.
func (h *house) says(claims string) *fakeProvider {
	h.t.Helper()
	p := h.providers["corp"]
	p.identity = Identity{Subject: "2481", AuthTime: h.clock.Add(-time.Second), IssuedAt: h.clock, Claims: []byte(claims)}
	return p
}

// A clerk, as the provider knows her.
const clerk = `{"sub":"2481","groups":["clerks","staff"],"preferred_username":"carla","email":"carla@corp.example","email_verified":true}`

var providerLink = regexp.MustCompile(`href="([^"]*provider=[^"]*)"`)

// leave follows the link of the login page to the provider.
func (b *browser) leave() *browser {
	b.t.Helper()
	link := providerLink.FindStringSubmatch(b.page)
	if link == nil {
		b.t.Fatalf("the page has no link to a provider: %d %s", b.code, b.page)
	}
	return b.open(html.UnescapeString(link[1]))
}

// comeBack returns from the provider; kv replaces and adds parameters.
func (b *browser) comeBack(kv ...string) *browser {
	b.t.Helper()
	params := replaced([]string{"state", b.h.providers["corp"].departure.State, "code", secret("a code of the provider", "code-of-the-provider")}, kv...)
	return b.send(http.MethodGet, callbackPath+"corp?"+pairs(params...), "", func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
	})
}

// refusesWith holds the page that a browser is shown against a reason.
func (b *browser) refusesWith(t testing.TB, status int, reason string) {
	t.Helper()
	if b.code != status || !strings.Contains(b.h.records.String(), `"reason":"`+reason+`"`) {
		t.Errorf("got %d %s %s, want %d %s", b.code, b.at, b.h.records.String(), status, reason)
	}
	if strings.HasPrefix(b.at, callback) {
		t.Errorf("the client was told: %s", b.at)
	}
	if b.cookies[sessionCookie] != "" {
		t.Error("the browser has a session")
	}
}

// provesAnew has somebody whose login at the provider was too old go there again,
// where a new one is demanded, and come back with it.
func (b *browser) provesAnew(p *fakeProvider) {
	b.t.Helper()
	tx := p.departure.State[:strings.LastIndexByte(p.departure.State, '.')]
	if b.open(authorizePath + "?transaction=" + tx).leave(); !p.departure.Fresh {
		b.t.Fatal("the second departure asks for no new login")
	}
	p.identity.AuthTime = b.h.clock
	if b.comeBack(); !b.asksConsent() {
		b.t.Errorf("got %d %s, want a login", b.code, b.h.records.String())
	}
}

// asksConsent tells whether somebody is logged in, and asked what the client may do.
func (b *browser) asksConsent() bool {
	return b.code == http.StatusOK && b.cookies[sessionCookie] != "" && strings.Contains(b.page, `value="consent"`)
}

var tickedBox = regexp.MustCompile(`<input type="checkbox" name="(grant|scope)" value="([^"]*)"( checked)?>`)

// allows ticks all boxes of the consent page, and returns the code.
func (b *browser) allows(t testing.TB) string {
	t.Helper()
	var boxes []string
	for _, box := range tickedBox.FindAllStringSubmatch(b.page, -1) {
		boxes = append(boxes, box[1], html.UnescapeString(box[2]))
	}
	b.press("consent", boxes...)
	u, err := url.Parse(b.at)
	if err != nil || u.Query().Get("code") == "" {
		t.Fatalf("got %d %s %s, want a code", b.code, b.at, b.h.records.String())
	}
	return secret("a code", u.Query().Get("code"))
}

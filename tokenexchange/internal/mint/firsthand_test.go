package mint_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// login is a first token of the user through portal, as a subject and as claims.
func login(t tb, w *world, u mint.User) (mint.UserToken, map[string]any) {
	t.Helper()
	raw := must(w.Sign(must(w.First(u, portal())))).Raw
	return must(w.admit(raw)).(mint.UserToken), payload(t, raw)
}

// inBeta is ada in another organization.
func inBeta(rights ...string) mint.User {
	u := person()
	u.Org, u.Roles, u.Rights = "beta", []string{"csp:org_owner"}, set(rights...)
	return u
}

func operator() mint.User {
	u := person()
	u.Subject, u.Account, u.Username, u.Org = "example.com:op", "op@example.com", "op", "support"
	u.AuthTime, u.Rights = start.Add(-time.Minute), set("crm/contacts.read **")
	return u
}

func TestSwitchSays(t *testing.T) {
	w := newWorld()
	u := person()
	u.AuthTime = start.Add(-time.Minute)
	subject, first := login(t, w, u)
	w.now = start.Add(10 * time.Minute)
	c := agent()
	c.AccessValidity, c.Scopes = time.Hour, []string{"openid", "profile", "email", "offline_access", "orders", "more"}
	c.Permit = set("shop/orders.read **", "shop/orders.write **", "crm/contacts.read contacts/**", "crm/contacts.write **")
	beta := inBeta("shop/orders.read beta/**", "crm/contacts.read **", "crm/contacts.write **")
	issued := must(w.Sign(must(w.Switch(subject, beta, c))))
	claims := payload(t, issued.Raw)
	// contacts.write is held in beta and not by the subject: it is not given.
	if got, want := issued.Rights.Canonical(), set("shop/orders.read beta/**", "crm/contacts.read contacts/**").Canonical(); got != want {
		t.Errorf("set: got %s, want %s", got, want)
	}
	for name, want := range map[string]any{
		"sub": "example.com:ada", "context_name": "beta", "client_id": "agent", "azp": "agent", "cid": "agent", "scope": "orders",
		"sid": first["sid"], "grant_id": first["grant_id"], "context": first["grant_id"], "auth_time": first["auth_time"],
		"root_jti": first["jti"], "root_iat": first["iat"], "exp": first["exp"], "narrowed": true, "act": nil, "perms": nil,
		"acct": "ada@example.com", "username": "ada", "domain": "example.com",
	} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	if got, want := issued.Audience, []string{"https://crm.example.com", "https://shop.example.com"}; !slices.Equal(got, want) {
		t.Errorf("aud: got %q, want %q", got, want)
	}
	if got := texts(claims["via"]); !slices.Equal(got, []string{"agent"}) {
		t.Errorf("via: got %q, want the caller", got)
	}
	empty := must(w.Sign(must(w.Switch(subject, inBeta("crm/contacts.write **"), c))))
	if !empty.Rights.Empty() || !slices.Equal(empty.Audience, []string{issuer}) {
		t.Errorf("nothing in common: got %s for %q", empty.Rights.Canonical(), empty.Audience)
	}
	same := must(w.Sign(must(w.Switch(subject, inBeta("shop/orders.write **"), portal()))))
	if claims := payload(t, same.Raw); claims["narrowed"] != nil || slices.Contains(texts(claims["perms"]), "csp:org_owner") {
		t.Errorf("nothing taken away: got narrowed %v, perms %v, want no role", claims["narrowed"], claims["perms"])
	}
	if short := must(w.Sign(must(w.Switch(subject, beta, web())))); short.ExpiresIn != 20*60 {
		t.Errorf("lives %d s, longer than its subject", short.ExpiresIn)
	}
}

func TestImpersonateSays(t *testing.T) {
	w := newWorld()
	actor, first := login(t, w, operator())
	w.now = start.Add(time.Minute)
	c := agent()
	c.Scopes = []string{"openid", "profile", "email", "orders", "more"}
	c.Permit = set("shop/orders.read **", "crm/contacts.read **")
	customer := person()
	customer.AuthTime = start
	ceiling := set("shop/orders.read orders/eu/**", "shop/orders.write **")
	issued := must(w.Sign(must(w.Impersonate(actor, customer, c, ceiling))))
	claims := payload(t, issued.Raw)
	if got, want := issued.Rights.Canonical(), set("shop/orders.read orders/eu/**").Canonical(); got != want {
		t.Errorf("set: got %s, want %s", got, want)
	}
	for name, want := range map[string]any{
		"sub": "example.com:ada", "acct": "ada@example.com", "username": "ada", "domain": "example.com", "context_name": "acme",
		"client_id": "agent", "azp": "agent", "scope": "orders", "aud": "https://shop.example.com", "narrowed": true, "perms": nil, "auth_time": nil, "via": nil,
		"sid": first["sid"], "grant_id": first["grant_id"], "context": first["grant_id"], "root_jti": first["jti"], "root_iat": first["auth_time"],
	} {
		if claims[name] != want {
			t.Errorf("%s: got %v, want %v", name, claims[name], want)
		}
	}
	if got, want := string(must(json.Marshal(claims["act"]))), `{"sub":"example.com:op"}`; got != want {
		t.Errorf("act: got %s, want %s", got, want)
	}
	if issued.ExpiresIn != 600 {
		t.Errorf("lives %d s, want 10 min", issued.ExpiresIn)
	}
	subject := must(w.admit(issued.Raw))
	if _, ok := subject.(mint.ImpersonatedToken); !ok || mint.Facts(subject).Actor() != "example.com:op" {
		t.Errorf("got the kind %T and the actor %s", subject, mint.Facts(subject).Actor())
	}
	ids := must(w.ring.Verify(issued.Raw)).Identifiers()
	if ids.Operator != "example.com:op" || ids.Subject != "example.com:ada" || ids.RootID != first["jti"] || !ids.IssuedAt.Equal(start.Add(-time.Minute)) {
		t.Errorf("identifiers: got %+v", ids)
	}
	// Nothing lives longer than the client's tokens, or than the actor's.
	c.AccessValidity = time.Minute
	if got := must(w.Sign(must(w.Impersonate(actor, customer, c, ceiling)))).ExpiresIn; got != 60 {
		t.Errorf("a client of one minute: got %d s", got)
	}
	w.now, c.AccessValidity = start.Add(25*time.Minute), time.Hour
	if got := must(w.Sign(must(w.Impersonate(actor, customer, c, ceiling)))).ExpiresIn; got != 300 {
		t.Errorf("5 minutes before the actor's end: got %d s", got)
	}
	// The zero ceiling and the zero client give nothing.
	for name, d := range map[string]mint.Draft{
		"zero ceiling": must(w.Impersonate(actor, customer, c, scopes.Set{})), "zero client": must(w.Impersonate(actor, customer, &mint.Client{ID: "x"}, ceiling)),
	} {
		if !d.Rights().Empty() {
			t.Errorf("%s: got %s", name, d.Rights().Canonical())
		}
	}
}

// What begins something new must be whole, first and meant for the issuer; both
// ways in refuse the same.
func TestWhoMayBeginAnew(t *testing.T) {
	w := newWorld()
	first := must(w.First(operator(), portal()))
	admitted := func(raw string) mint.UserToken { return must(w.admit(raw)).(mint.UserToken) }
	signed := func(d mint.Draft) mint.UserToken { return admitted(must(w.Sign(d)).Raw) }
	with := func(change map[string]string) mint.UserToken {
		members := map[string]string{"sub": `"example.com:op"`, "aud": `"` + issuer + `"`, "context_name": `"support"`, "auth_time": "1777636800"}
		for name, text := range change {
			members[name] = text
		}
		return admitted(forged(regular(members)))
	}
	for name, c := range map[string]struct {
		subject mint.UserToken
		want    mint.Reason
	}{
		"first":                {signed(first), ""},
		"regular":              {with(nil), ""},
		"asked for all":        {signed(must(first.Narrow(askFor("crm", "contacts.read")))), ""},
		"narrowed by scope":    {signed(must(first.Limit([]string{"openid"}))), mint.SubjectKind},
		"narrowed":             {with(map[string]string{"narrowed": "true"}), mint.SubjectKind},
		"not narrowed":         {with(map[string]string{"narrowed": "false"}), ""},
		"with via":             {with(map[string]string{"via": `["a"]`}), mint.SubjectKind},
		"with a root":          {with(map[string]string{"root_jti": `"R"`, "root_iat": "1777636800"}), mint.SubjectKind},
		"without a login":      {with(map[string]string{"auth_time": ""}), mint.SubjectKind},
		"for a service alone":  {with(map[string]string{"aud": `"https://crm.example.com"`}), mint.TokenAudience},
		"for the issuer too":   {with(map[string]string{"aud": `["https://crm.example.com","` + issuer + `"]`}), ""},
		"for another party":    {with(map[string]string{"may_act": `{"sub":"other"}`}), mint.ExchangeRefused},
		"for the caller":       {with(map[string]string{"may_act": `{"sub":"agent"}`}), ""},
		"marked by mode audit": {with(map[string]string{"scopegate_mode": `"audit"`}), mint.ExchangeRefused},
		"zero":                 {mint.UserToken{}, mint.SubjectKind},
	} {
		beta := operator()
		beta.Org = "beta"
		_, err := w.Switch(c.subject, beta, agent())
		if reason(t, err) != c.want {
			t.Errorf("Switch, %s: got %v, want %q", name, err, c.want)
		}
		if _, err = w.Impersonate(c.subject, person(), agent(), everything); reason(t, err) != c.want {
			t.Errorf("Impersonate, %s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestSwitchIsToAnotherOrganization(t *testing.T) {
	w := newWorld()
	subject, _ := login(t, w, person())
	other := inBeta("shop/orders.read **")
	other.Subject = "example.com:bob"
	nowhere := inBeta("shop/orders.read **")
	nowhere.Org = ""
	for name, u := range map[string]mint.User{"the same": person(), "none": nowhere, "another user": other, "zero": {}} {
		if _, err := w.Switch(subject, u, agent()); reason(t, err) != mint.ExchangeRefused {
			t.Errorf("%s: got %v, want exchange_refused", name, err)
		}
	}
	// What was switched is not first: nothing is switched twice, and nobody acts with it.
	again := must(w.admit(must(w.Sign(must(w.Switch(subject, inBeta(), agent())))).Raw)).(mint.UserToken)
	if _, err := w.Switch(again, person(), agent()); reason(t, err) != mint.SubjectKind {
		t.Errorf("a second switch: got %v, want subject_kind", err)
	}
	if _, err := w.Impersonate(again, operator(), agent(), everything); reason(t, err) != mint.SubjectKind {
		t.Errorf("a switched actor: got %v, want subject_kind", err)
	}
}

func TestWhoIsImpersonated(t *testing.T) {
	w := newWorld()
	actor, _ := login(t, w, operator())
	for sub, want := range map[string]mint.Reason{
		"example.com:ada": "", "example.com:op": mint.ExchangeRefused, "web": mint.SubjectKind, "guard:shop": mint.SubjectKind, "": mint.SubjectKind,
	} {
		customer := person()
		customer.Subject = sub
		draft, err := w.Impersonate(actor, customer, agent(), everything)
		if reason(t, err) != want {
			t.Errorf("%q: got %v, want %q", sub, err, want)
		}
		if _, err := w.Sign(draft); (err == nil) != (want == "") {
			t.Errorf("%q: signing what came back: got %v", sub, err)
		}
	}
}

// An impersonated token goes through a guard to its upstream and nowhere else,
// with the operator at the core of act however often guards stand around it.
func TestImpersonatedTokensGoUpstreamOnly(t *testing.T) {
	w := newWorld()
	actor, _ := login(t, w, operator())
	subject := must(w.admit(must(w.Sign(must(w.Impersonate(actor, person(), agent(), everything)))).Raw))
	up, _ := w.Upstream("shop")
	for name, step := range map[string]func(mint.Subject, *mint.Client, mint.Target) (mint.Draft, error){"Derive": w.Derive, "Delegate": w.Delegate} {
		for _, audience := range []string{"https://shop.example.com", "https://crm.example.com", "https://elsewhere.example"} {
			if _, err := step(subject, caller("batch"), target(t, w, audience)); reason(t, err) != mint.SubjectKind {
				t.Errorf("%s to %s: got %v, want subject_kind", name, audience, err)
			}
		}
		header := map[string][]string{}
		must(w.SignUpstream(must(step(subject, caller("guard:shop"), up)))).Authorize(header)
		raw := header["Authorization"][0][len("Bearer "):]
		claims := payload(t, raw)
		want := map[string][]string{"Derive": {"example.com:op"}, "Delegate": {"guard:shop", "example.com:op"}}[name]
		if got := chainOf(claims["act"]); !slices.Equal(got, want) || claims["sub"] != "example.com:ada" {
			t.Errorf("%s: got act %q of %v, want %q", name, got, claims["sub"], want)
		}
		if got := len(texts(claims["via"])); got != map[string]int{"Derive": 1}[name] {
			t.Errorf("%s: got via %v", name, claims["via"])
		}
		forwarded := must(w.admit(raw))
		if _, ok := forwarded.(mint.ImpersonatedToken); !ok || must(w.ring.Verify(raw)).Identifiers().Operator != "example.com:op" {
			t.Errorf("%s: what is forwarded is %T, want it known as impersonated", name, forwarded)
		}
	}
}

// A user acts by impersonation alone, which begins a chain. A guard that acts
// is no user, though its name has a colon.
func TestUsersAmongActors(t *testing.T) {
	w := newWorld()
	for act, c := range map[string]struct {
		operator string
		hops     []string // that are clients
		want     mint.Reason
	}{
		`{"sub":"a.example:op"}`:                                         {"a.example:op", nil, ""},
		`{"sub":"agent","act":{"sub":"a.example:op"}}`:                   {"a.example:op", []string{"agent"}, ""},
		`{"sub":"guard:shop","act":{"sub":"a.example:op"}}`:              {"a.example:op", []string{"guard:shop"}, ""},
		`{"sub":"guard:shop"}`:                                           {"", []string{"guard:shop"}, ""},
		`{"sub":"agent"}`:                                                {"", []string{"agent"}, ""},
		`{"sub":"a.example:op","act":{"sub":"agent"}}`:                   {"", nil, mint.TokenMalformed},
		`{"sub":"a.example:op","act":{"sub":"a.example:op"}}`:            {"", nil, mint.TokenMalformed},
		`{"sub":"x","act":{"sub":"a.example:op","act":{"sub":"agent"}}}`: {"", nil, mint.TokenMalformed},
	} {
		raw := forged(regular(map[string]string{"act": act, "via": `["b.example:x"]`}))
		subject, err := w.admit(raw)
		if reason(t, err) != c.want {
			t.Errorf("%s: got %v, want %q", act, err, c.want)
		}
		if err != nil {
			continue
		}
		if got := must(w.ring.Verify(raw)).Identifiers().Operator; got != c.operator {
			t.Errorf("%s: got the operator %q, want %q", act, got, c.operator)
		}
		_, impersonated := subject.(mint.ImpersonatedToken)
		_, delegated := subject.(mint.DelegatedToken)
		if impersonated != (c.operator != "") || delegated == impersonated {
			t.Errorf("%s: got the kind %T", act, subject)
		}
		var seen []string
		mint.Facts(subject).Hops(func(client string) bool { seen = append(seen, client); return true })
		if want := append(slices.Clone(c.hops), "b.example:x"); !slices.Equal(seen, want) {
			t.Errorf("%s: got the hops %q, want %q: a name in via is always asked about", act, seen, want)
		}
	}
}

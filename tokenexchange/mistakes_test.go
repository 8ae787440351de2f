package tokenexchange

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// Mistakes that were found in other servers, each under the name that it is
// known by. What the matrix of testdata/provenance.txt asks for as well is said
// here once more, so that each has a test to point at.

// named returns a subject or an actor of the matrix.
func named(t testing.TB, list []presentable, name string) presentable {
	t.Helper()
	at := slices.IndexFunc(list, func(it presentable) bool { return it.name == name })
	if at < 0 {
		t.Fatalf("nothing is called %q", name)
	}
	return list[at]
}

func grantNamed(t testing.TB, name string) provenanceGrant {
	t.Helper()
	at := slices.IndexFunc(provenanceGrants, func(g provenanceGrant) bool { return g.name == name })
	if at < 0 {
		t.Fatalf("no grant is called %q", name)
	}
	return provenanceGrants[at]
}

// The actor chain is dropped when actor_token is left out.
func TestMistakeActorChainIsDropped(t *testing.T) {
	p := newProvenance(t)
	for _, name := range []string{"delegated", "delegated, then exchanged"} {
		subject := named(t, p.subjects, name)
		for grant, want := range map[string][]string{
			"audience_exchange": {"maker"}, "RFC 8693 as audience_exchange": {"maker"},
			"client_delegate": {"allowed", "maker"}, "RFC 8693 as client_delegate": {"allowed", "maker"},
		} {
			for _, actor := range []string{"none", "caller's own"} {
				if actor != "none" && !strings.HasPrefix(grant, "RFC") {
					continue
				}
				a := p.ask(grantNamed(t, grant), named(t, p.actors, actor), subject, "allowed")
				if got := actorsOf(t, p.access(a.answer)); !slices.Equal(got, want) {
					t.Errorf("%s by %s, actor %s: got the actors %q, want %q", name, grant, actor, got, want)
				}
			}
		}
		for exchange, want := range map[string][]string{"audience_exchange": {"maker"}, "client_delegate": {"guard:shop", "maker"}} {
			_, raw := p.forwarded(t, p.guards["guard, "+exchange+" built-in"], bearer("GET", "/me", subject.text))
			if got := actorsOf(t, raw); !slices.Equal(got, want) {
				t.Errorf("%s by a guard with %s: got the actors %q, want %q", name, exchange, got, want)
			}
		}
	}
}

// The check is skipped when the subject's client cannot be read. It is refused,
// and so is a token that passed through such a client.
func TestMistakeUnknownClientIsNotAsked(t *testing.T) {
	p := newProvenance(t)
	for _, name := range []string{"issued to a client that is gone", "passed through a client that is gone", "exchanged id token"} {
		subject := named(t, p.subjects, name)
		for _, grant := range []string{"audience_exchange", "RFC 8693 as audience_exchange", "client_delegate", "RFC 8693 as client_delegate", "context_switch", "guard, audience_exchange", "guard, client_delegate"} {
			callers := []string{"allowed"}
			if strings.HasPrefix(grant, "guard") {
				callers = []string{"built-in", "as allowed"}
			}
			for _, caller := range callers {
				a := p.ask(grantNamed(t, grant), named(t, p.actors, "none"), subject, caller)
				want := "exchange_refused"
				switch {
				case subject.typ == idURN && strings.HasPrefix(grant, "guard"):
					want = "token_type"
				case subject.typ == idURN && !strings.Contains(grant, "audience_exchange"):
					want = "parameter_invalid"
				case grant == "context_switch" && name == "passed through a client that is gone":
					want = "token_audience" // It is no login's token in the first place.
				}
				if a.reason != want {
					t.Errorf("%s, %s by %s: got %s, want %s", name, grant, caller, a.reason, want)
				}
			}
		}
	}
}

// The audience is not bounded while the scope is.
func TestMistakeAudienceIsNotBounded(t *testing.T) {
	h := newHouse(t, delegates, func(c *Config) {
		c.client("batch").TargetAudiences = []string{shopAud}
		c.client("agent").TargetAudiences = []string{shopAud}
	})
	ada := h.adas()
	shopOnly, crmOnly := h.adas("allowed_resource_scope", scopeOf("orders.read")), h.adas("allowed_resource_scope", crmScope)
	for name, g := range map[string]got{
		"another service":              h.exchange("batch", ada, crmAud),
		"another service, narrowed":    h.exchange("batch", ada, crmAud, "allowed_resource_scope", scopeOf("orders.read", "orders/1")),
		"another service, less scope":  h.exchange("batch", ada, crmAud, "scope", "orders"),
		"a stranger":                   h.exchange("batch", ada, elsewhere),
		"two in one":                   h.exchange("batch", ada, shopAud+" "+crmAud),
		"the issuer":                   h.exchange("batch", ada, issuer),
		"the upstream":                 h.exchange("batch", ada, "urn:scopegate:upstream:shop"),
		"acting, another service":      h.delegate("agent", ada, "audience", crmAud),
		"acting, that of the subject":  h.delegate("agent", crmOnly),
		"acting, that of no service":   h.delegate("agent", shopOnly, "audience", elsewhere),
		"acting, several, none chosen": h.delegate("agent", ada),
	} {
		t.Run(name, func(t *testing.T) { g.refused(t, 400, "invalid_target", "target_not_allowed") })
	}
	for name, g := range map[string]got{
		"audience_exchange": h.exchange("batch", ada, shopAud), "client_delegate": h.delegate("agent", ada, "audience", shopAud),
	} {
		if got := claimsOf(t, g.granted(t))["aud"]; got != shopAud {
			t.Errorf("%s: got the audience %v, want the one that was asked for", name, got)
		}
	}
}

// An impersonated token is exchanged into a clean one: through a guard, the
// operator stays in it, and nothing else takes it or what a guard made of it.
func TestMistakeImpersonatedTokenBecomesClean(t *testing.T) {
	p := newProvenance(t)
	token := named(t, p.subjects, "impersonated")
	for exchange, want := range map[string][]string{"audience_exchange": {"example.com:olga"}, "client_delegate": {"guard:shop", "example.com:olga"}} {
		for _, guard := range []string{" built-in", " as allowed", " as no permit"} {
			g := p.guards["guard, "+exchange+guard]
			_, raw := p.forwarded(t, g, bearer("GET", "/me", token.text))
			wanted := slices.Clone(want)
			if len(wanted) > 1 {
				wanted[0] = g.client.ID
			}
			if got := actorsOf(t, raw); !slices.Equal(got, wanted) {
				t.Errorf("a guard%s with %s: got the actors %q, want %q", guard, exchange, got, wanted)
			}
		}
	}
	for _, name := range []string{"impersonated", "forwarded, impersonated"} {
		for _, g := range provenanceGrants {
			for _, caller := range g.callers {
				a := p.ask(g, named(t, p.actors, "none"), named(t, p.subjects, name), caller)
				if a.reason == "allowed" && (name != "impersonated" || a.forwarded == "") {
					t.Errorf("%s, %s by %s: allowed", name, g.name, caller)
				}
			}
		}
	}
	acting := named(t, p.actors, "operator's, impersonating")
	for _, caller := range []string{"issued to", "allowed"} {
		if a := p.ask(grantNamed(t, "impersonate_user"), acting, named(t, p.subjects, "customer's e-mail"), caller); a.reason != "token_audience" {
			t.Errorf("an impersonated token impersonates, by %s: got %s", caller, a.reason)
		}
	}
}

// A switch gives back what was narrowed.
func TestMistakeSwitchGivesBack(t *testing.T) {
	p := newProvenance(t)
	for _, name := range []string{
		"narrowed by request", "narrowed scope", "narrowed by consent, refreshed", "of an API token", "switched", "first, without openid",
		"exchanged", "delegated", "delegated, then exchanged", "exchanged to another service", "exchanged to a stranger", "impersonated", "forwarded by a guard",
	} {
		for _, caller := range []string{"issued to", "allowed", "no target", "public"} {
			if a := p.ask(grantNamed(t, "context_switch"), named(t, p.actors, "none"), named(t, p.subjects, name), caller); a.reason == "allowed" {
				t.Errorf("%s by %s: allowed", name, caller)
			}
		}
	}
	// What is held in the other organization alone is not in the switched token:
	// the law of a switch. And a switched one does not come back.
	switched := named(t, p.subjects, "switched")
	if strings.Contains(setOf(t, switched.text), "orders.audit") {
		t.Errorf("got %s, want nothing that the login did not hold", setOf(t, switched.text))
	}
	p.switchTo("web", switched.text, "acme").refused(t, 400, "invalid_request", "token_audience")
}

// A subject is ignored by a grant that does not use it.
func TestMistakeSubjectIsIgnored(t *testing.T) {
	p := newProvenance(t)
	token := named(t, p.subjects, "first").text
	extras := map[string]string{
		"subject_token": token, "subject_token_type": accessURN, "actor_token": token, "actor_token_type": accessURN,
		"target_audience": shopAud, "audience": shopAud, "resource": shopAud, "requested_token_type": accessURN,
	}
	for name, params := range map[string][]string{
		"password":           {"grant_type", "password", "username", "ada", "password", password},
		"client_credentials": {"grant_type", "client_credentials"},
		"refresh_token":      {"grant_type", "refresh_token", "refresh_token", p.keeps["refresh"]},
		"authorization_code": {"grant_type", "authorization_code", "code", p.keeps["code"], "redirect_uri", callback, "code_verifier", verifier},
	} {
		for extra, value := range extras {
			if g := p.token("web", append(slices.Clone(params), extra, value)...); g.body["cspErrorCode"] != "parameter_misplaced" {
				t.Errorf("%s with %s: got %s", name, extra, g.raw)
			}
		}
	}
	for extra, value := range extras {
		r := httptest.NewRequest("POST", "/csp/gateway/am/api/auth/api-tokens/authorize", strings.NewReader(pairs("api_token", named(t, p.subjects, "API token").text, extra, value)))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		p.do(r).refused(t, 400, "invalid_request", "parameter_misplaced")
	}
	p.unused(t) // Neither the code nor the refresh token was.
}

// An id token is made from a delegated token, or from another one with which
// somebody acts, or that is not all that a login gave.
func TestMistakeIDTokenFromADelegatedToken(t *testing.T) {
	p := newProvenance(t)
	for _, name := range []string{
		"delegated", "delegated, then exchanged", "exchanged", "switched", "impersonated", "narrowed by request", "narrowed scope",
		"first, without openid", "of an API token", "client's own", "forwarded by a guard", "forwarded, impersonated", "id token, called access",
	} {
		for _, grant := range []string{"audience_exchange", "audience_exchange for an id token", "RFC 8693 as audience_exchange"} {
			for _, caller := range []string{"issued to", "allowed", "public"} {
				a := p.ask(grantNamed(t, grant), named(t, p.actors, "none"), named(t, p.subjects, name), caller)
				if a.answer.body["id_token"] != nil || a.reason == "allowed" && (a.answer.body["token_type"] != "Bearer" || strings.HasSuffix(grant, "an id token")) {
					t.Errorf("%s, %s by %s: got %s", name, grant, caller, a.answer.raw)
				}
			}
		}
	}
}

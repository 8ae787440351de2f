package tokenexchange

import (
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// provenanceGrant is a grant of the matrix, and how it is asked for.
type provenanceGrant struct {
	name    string
	grant   string
	without string   // a grant that no client lists, so that the name of RFC 8693 means the other one
	params  []string // besides grant_type
	actors  []string // nil: all
	callers []string
	issued  bool // the column "issued to" is about the actor token, not the subject
}

var (
	endpointCallers = append([]string{"issued to"}, append(slices.Clone(askers), "guard")...)
	guardCallers    = []string{"built-in", "as allowed", "as not allowed", "as no permit"}
	misplacedActors = []string{"none", "caller's own", "operator's first"}
	noActors        = []string{"none"}

	provenanceGrants = []provenanceGrant{
		{"audience_exchange", "audience_exchange", "", []string{"target_audience", shopAud}, misplacedActors, endpointCallers, false},
		{"audience_exchange for an id token", "audience_exchange", "", []string{"target_audience", shopAud, "requested_token_type", idURN}, misplacedActors, endpointCallers, false},
		{"audience_exchange for an access token", "audience_exchange", "", []string{"target_audience", shopAud, "requested_token_type", accessURN}, misplacedActors, endpointCallers, false},
		{"RFC 8693 as audience_exchange", "audience_exchange", "client_delegate", []string{"audience", shopAud}, nil, endpointCallers, false},
		{"RFC 8693 as audience_exchange for an id token", "audience_exchange", "client_delegate", []string{"resource", shopAud, "requested_token_type", idURN}, noActors, endpointCallers, false},
		{"client_delegate", "client_delegate", "", []string{"audience", shopAud}, []string{"none", "operator's first"}, endpointCallers, false},
		{"RFC 8693 as client_delegate", "client_delegate", "audience_exchange", []string{"resource", shopAud}, nil, endpointCallers, false},
		{"RFC 8693 of a client with both", "audience_exchange", "", []string{"audience", shopAud}, noActors, []string{"issued to", "allowed", "not allowed", "no permit", "no target"}, false},
		{"context_switch", "context_switch", "", []string{"orgId", "beta"}, misplacedActors, endpointCallers, false},
		{"impersonate_user", "impersonate_user", "", nil, nil, endpointCallers, true},
		{"guard, audience_exchange", "audience_exchange", "", nil, noActors, guardCallers, false},
		{"guard, client_delegate", "client_delegate", "", nil, noActors, guardCallers, false},
	}
)

func namesOf[T any](list []T, name func(T) string) (names []string) {
	for _, it := range list {
		names = append(names, name(it))
	}
	return names
}

// TestProvenance asks for every kind of token, with every kind of actor token,
// by every grant, as everybody who may ask or may not, and holds the answers
// against the table. What is allowed is held against the laws of exchanges.
func TestProvenance(t *testing.T) {
	p := newProvenance(t)
	presented := func(it presentable) string { return it.name }
	actors := namesOf(p.actors, presented)
	tab := readTable(t, "testdata/provenance.txt", map[string][]string{
		"grant": namesOf(provenanceGrants, func(g provenanceGrant) string { return g.name }), "subject": namesOf(p.subjects, presented), "actor": actors,
		"caller": append(slices.Clone(endpointCallers), guardCallers...),
	})
	cells, allowed, wrong := 0, 0, 0
	for _, g := range provenanceGrants {
		for _, actor := range p.actors {
			if g.actors != nil && !slices.Contains(g.actors, actor.name) {
				continue
			}
			for _, subject := range p.subjects {
				for _, caller := range g.callers {
					if actor.name == "caller's own" && caller == "public" {
						continue // A public client has no token of its own.
					}
					cells++
					c := cell{g.name, actor.name, subject.name, caller}
					a := p.ask(g, actor, subject, caller)
					if want := tab.find(c); a.reason != want {
						if wrong++; wrong <= 50 {
							t.Errorf("%s, actor %s, subject %s, caller %s: got %s, want %q", c.grant, c.actor, c.subject, c.caller, a.reason, want)
						}
					}
					if a.reason == "allowed" {
						allowed++
						p.laws(t, c, a)
					}
				}
			}
		}
	}
	for _, s := range tab.all {
		if !s.found {
			t.Errorf("line %d: no cell is %s by it", s.line, s.want)
		}
	}
	t.Logf("%d cells, %d of them allowed; %d are not what the table says", cells, allowed, wrong)
	p.unused(t)
}

// asked is a cell that was asked for.
type asked struct {
	grant          provenanceGrant
	actor, subject presentable
	client         string // that asked
	reason         string
	answer         got
	forwarded      string // by a guard
}

// ask asks for one cell.
func (p *provenance) ask(g provenanceGrant, actor, subject presentable, caller string) asked {
	a := asked{grant: g, actor: actor, subject: subject, client: askerID(caller)}
	if slices.Contains(guardCallers, caller) {
		r := bearer("GET", "/me", subject.text)
		v, _ := p.pass(p.guards[g.name+" "+caller], r)
		a.reason, a.client = v.Reason.String(), v.guard.client.ID
		if v.Reason == scopes.ReasonAllowed {
			a.forwarded = r.Header.Get("Authorization")[len("Bearer "):]
		}
		return a
	}
	switch caller {
	case "guard":
		a.client = "guard:shop"
	case "issued to":
		a.client = subject.client
		if g.issued {
			a.client = actor.client
		}
	}
	if actor.name == "caller's own" {
		a.actor.text = p.own[a.client]
	}
	kv := append([]string{"grant_type", g.grant, "client_id", a.client}, g.params...)
	if strings.HasPrefix(g.name, "RFC") {
		kv[1] = exchangeGrant
	}
	if a.client != "public" {
		kv = append(kv, "client_secret", secretOf(a.client))
	}
	for name, it := range map[string]presentable{"subject_token": subject, "actor_token": a.actor} {
		if it.name != "none" {
			kv = append(kv, name, it.text, name+"_type", it.typ)
		}
	}
	server := p.Server
	p.Server = p.servers[g.name]
	a.answer = p.do(form(pairs(kv...)))
	p.Server = server
	a.reason, _ = a.answer.body["cspErrorCode"].(string)
	switch {
	case a.answer.status == 200:
		a.reason = "allowed"
	case a.answer.status == 401: // Nobody is slowed down for the cells that follow.
		for _, s := range p.servers {
			s.throttles = NewThrottles()
		}
	}
	return a
}

// unused holds that nothing of what was sent in the place of a token was used up.
func (p *provenance) unused(t *testing.T) {
	t.Helper()
	p.assert(p.keeps["assertion"]).granted(t)
	p.refresh("web", p.keeps["refresh"]).tokens(t)
	p.redeem("web", p.keeps["code"]).tokens(t)
}

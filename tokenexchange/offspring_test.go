package tokenexchange

import (
	"fmt"
	"testing"
	"time"
)

// TestRevokedOffspring grows trees of tokens, as deep as a chain can be, by
// exchanges and delegations, and revokes each token in turn: exactly it and what
// came of it is dead.
func TestRevokedOffspring(t *testing.T) {
	h := newHouse(t, delegates, agentAllows)
	type node struct {
		token  string
		parent int // -1: a first token
		how    string
	}
	nodes := []node{{h.adas(), -1, "ada's"}, {h.adas(), -1, "ada's other"}, {h.nightlys(), -1, "a client's own"}}
	for i := 0; i < len(nodes); i++ {
		from := nodes[i]
		depth := 0
		for p := from.parent; p >= 0; p = nodes[p].parent {
			depth++
		}
		if depth == 4 {
			continue
		}
		grow := func(how string, answer got) {
			if answer.status == 200 {
				nodes = append(nodes, node{answer.body["access_token"].(string), i, from.how + ", " + how})
			}
		}
		grow("exchanged", h.exchange("batch", from.token, shopAud))
		grow("exchanged again", h.exchange("batch", from.token, shopAud))
		grow("delegated", h.delegate("agent", from.token, "audience", shopAud))
	}
	deepest := 0
	for i := range nodes {
		depth := 0
		for p := nodes[i].parent; p >= 0; p = nodes[p].parent {
			depth++
		}
		deepest = max(deepest, depth)
	}
	if deepest != 4 || len(nodes) < 100 {
		t.Fatalf("got %d tokens, the deepest of %d hops, want a hundred and 4 hops", len(nodes), deepest)
	}
	for i, dead := range nodes {
		set := NewRevocations(func() time.Time { return h.clock })
		set.add(RevokeToken(text(t, dead.token, "jti"), start.Add(time.Hour)))
		for j, n := range nodes {
			of := j
			for of >= 0 && of != i {
				of = nodes[of].parent
			}
			signed, _, err := h.verify(n.token)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := set.why(signed.Identifiers()) != "", of == i; got != want {
				t.Errorf("%s is revoked: of %s got dead %v, want %v", fmt.Sprint(i, " ", dead.how), fmt.Sprint(j, " ", n.how), got, want)
			}
		}
	}
}

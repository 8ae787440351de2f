package mint_test

import (
	"testing"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// TestTellsOfTheTokensUserAlone brings somebody else, another organization and another
// client to a token: whoever mixes them up is told nothing.
func TestTellsOfTheTokensUserAlone(t *testing.T) {
	w := newWorld()
	u := person()
	u.AuthTime = start
	subject := must(w.admit(must(w.Sign(must(w.First(u, portal())))).Raw)).(mint.UserToken)
	if _, err := portal().Tell(subject, u); err != nil {
		t.Fatalf("the token's own user: got %v", err)
	}
	other, elsewhere := u, u
	other.Subject, elsewhere.Org = "example.com:other", "elsewhere"
	for name, now := range map[string]mint.User{"another user": other, "another organization": elsewhere} {
		if got, err := portal().Tell(subject, now); mint.ReasonOf(err) != mint.ExchangeRefused || got.Subject != "" {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if _, err := agent().Tell(subject, u); mint.ReasonOf(err) != mint.ExchangeRefused {
		t.Errorf("another client: got %v", err)
	}
}

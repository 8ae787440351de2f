package tokenexchange

import (
	"context"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// meeting is a store in which two requests meet that read the same record: both
// have read it before either of them goes on.
type meeting struct {
	*MemoryStore
	readers atomic.Int32
	both    sync.WaitGroup
}

func (m *meeting) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := m.MemoryStore.Get(ctx, key)
	if m.readers.Add(1) <= 2 { // Whoever lost reads once more, alone.
		m.both.Done()
		m.both.Wait()
	}
	return value, err
}

// A code is read, checked, issued for and then deleted: two redemptions at the
// same time both find it.
func TestMistakeCodeIsSpentTwice(t *testing.T) {
	h := newHouse(t, logins)
	store := &meeting{MemoryStore: h.store}
	store.both.Add(2)
	code := h.code(t)
	s := must(New(h.realm, Runtime{
		SigningKeys: []SigningKey{ecKey(), rsaKey()}, StateKeys: []StateKey{stateKey}, Store: store, Caches: NewCaches(), Throttles: NewThrottles(),
		Revocations: h.revocations, Epoch: h.epoch, Log: h.log, Now: func() time.Time { return start },
	}))
	var answers [2]*httptest.ResponseRecorder
	var requests sync.WaitGroup
	for i := range answers {
		answers[i] = httptest.NewRecorder()
		requests.Go(func() {
			s.ServeHTTP(answers[i], form(pairs("grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier, "client_id", "web", "client_secret", secretOf("web"))))
		})
	}
	requests.Wait()
	slices.SortFunc(answers[:], func(a, b *httptest.ResponseRecorder) int { return a.Code - b.Code })
	if answers[0].Code != 200 || answers[1].Code != 400 || !strings.Contains(answers[1].Body.String(), `"cspErrorCode":"code_used"`) {
		t.Errorf("got %d, and %d %s, want tokens once, and code_used", answers[0].Code, answers[1].Code, answers[1].Body)
	}
	if got := store.readers.Load(); got != 3 {
		t.Errorf("the code was read %d times, want twice before it was spent, and by the loser again", got)
	}
}

// A token of a revoked family is exchanged. What was used twice, a code or a
// refresh token, ends all that came of the login, wherever it was exchanged.
func TestMistakeRevokedFamilyIsExchanged(t *testing.T) {
	p := newProvenance(t)
	code := p.code(t)
	ofCode, _ := p.redeem("web", code).tokens(t)
	ofLogin, refresh := p.through("web", "ada").tokens(t)
	renewed, _ := p.refresh("web", refresh).tokens(t)
	family := map[string]string{"of the code": ofCode, "of the login": ofLogin, "refreshed": renewed}
	for name, token := range maps.Clone(family) {
		family[name+", exchanged"], family[name+", delegated"] = p.exchanged(token, shopAud), p.delegated("maker", token)
		family[name+", switched"] = p.access(p.switchTo("web", token, "beta"))
	}
	p.clock = p.clock.Add(11 * time.Second)
	p.redeem("web", code).refused(t, 400, "invalid_grant", "code_reused")
	p.refresh("web", refresh).refused(t, 400, "invalid_grant", "refresh_token_reused")
	for name, token := range family {
		for _, g := range provenanceGrants {
			if g.issued || strings.HasPrefix(g.name, "RFC 8693 of") {
				continue
			}
			for _, caller := range g.callers[:2] {
				a := p.ask(g, named(t, p.actors, "none"), sentAs(t, accessURN, name, token), caller)
				if a.reason != "token_revoked" && (g.name != "context_switch" || a.reason != "token_audience") {
					t.Errorf("%s, %s by %s: got %s, want token_revoked", name, g.name, caller, a.reason)
				}
			}
		}
	}
}

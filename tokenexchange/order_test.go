package tokenexchange

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// A revocation stays as long as a token that it names.
func TestRevocationLastsAsLongAsTheTokens(t *testing.T) {
	h := newHouse(t, logins)
	code := h.code(t)
	access, _ := h.redeem("web", code).tokens(t)
	h.clock = h.clock.Add(time.Minute)
	h.redeem("web", code).refused(t, 400, "invalid_grant", "code_reused")
	h.clock = h.clock.Add(28 * time.Minute)
	_ = h.revocations.Len()
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", access)); v.Reason != scopes.ReasonTokenRevoked {
		t.Errorf("got %s", v.Reason)
	}
}

// A role of never_roles counts in whatever organization it is held.
func TestNeverRolesInEveryOrg(t *testing.T) {
	h := support(t)
	h.withUsers(strings.Replace(operators, `"memberships":[{"org":"beta","roles":["csp:support"]},{"org":"acme"}]`, `"memberships":[{"org":"acme"},{"org":"beta","roles":["csp:support"]}]`, 1))
	h.impersonate("console", h.operator("olga"), "chief@example.com", "orgId", "acme").refused(t, 400, "invalid_request", "impersonation_refused")
}

// orderedStore says in which order a revocation reaches the feed and the record.
type orderedStore struct {
	*MemoryStore
	order []string
}

func (s *orderedStore) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	s.order = append(s.order, "swap")
	return s.MemoryStore.Swap(ctx, key, old, new, exp)
}

func (s *orderedStore) Publish(ctx context.Context, entry []byte, until time.Time) error {
	s.order = append(s.order, "publish")
	return s.MemoryStore.Publish(ctx, entry, until)
}

// A process that dies between the two has revoked too much, not too little.
func TestPublishedBeforeTheSwap(t *testing.T) {
	h := newHouse(t, logins)
	code := h.code(t)
	h.redeem("web", code).tokens(t)
	h.clock = h.clock.Add(time.Minute)
	s := &orderedStore{MemoryStore: h.store}
	h.state.store = s
	h.redeem("web", code).refused(t, 400, "invalid_grant", "code_reused")
	if got := strings.Join(s.order, " "); got != "publish swap" {
		t.Errorf("got %s", got)
	}
}

// firstWrite tells what was logged when the answer began.
type firstWrite struct {
	*httptest.ResponseRecorder
	h    *house
	seen string
}

func (w *firstWrite) WriteHeader(status int) {
	w.seen = w.h.records.String()
	w.ResponseRecorder.WriteHeader(status)
}

// No token leaves unrecorded.
func TestRecordComesBeforeTheToken(t *testing.T) {
	h := support(t)
	actor := h.operator("olga")
	r := form(pairs("grant_type", "impersonate_user", "subject_token", "ada@example.com", "subject_token_type", acctURN, "actor_token", actor, "actor_token_type", accessURN))
	r.SetBasicAuth("console", secretOf("console"))
	h.records.Reset()
	w := &firstWrite{ResponseRecorder: httptest.NewRecorder(), h: h}
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK || !strings.Contains(w.seen, "example.com:ada") || !strings.Contains(w.seen, "example.com:olga") {
		t.Errorf("got %d, and this record before the answer: %s", w.Code, w.seen)
	}
}

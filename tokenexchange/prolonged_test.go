package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// Nothing is renewed while nobody can tell whether it was revoked.
func TestNothingIsRenewedInAGap(t *testing.T) {
	h := newHouse(t, logins)
	_, refresh := h.login().tokens(t)
	code := h.code(t)
	h.revocations.reading.unread.Store(h.clock.UnixMilli())
	h.refresh("web", refresh).refused(t, 503, "temporarily_unavailable", "revocations_stale")
	h.redeem("web", code).refused(t, 503, "temporarily_unavailable", "revocations_stale")
	h.revocations.reading.unread.Store(0)
	h.refresh("web", refresh).tokens(t)
	h.redeem("web", code).tokens(t)
}

// meanwhileStore lets something happen after a record was read.
type meanwhileStore struct {
	*MemoryStore
	meanwhile func()
}

func (s *meanwhileStore) Get(ctx context.Context, key string) ([]byte, error) {
	val, err := s.MemoryStore.Get(ctx, key)
	if f := s.meanwhile; f != nil {
		s.meanwhile = nil
		f()
	}
	return val, err
}

// A request on its way prolongs the record that was read, and the revocation
// outlives what that gives.
func TestRevocationOutlivesWhatWasOnItsWay(t *testing.T) {
	h := newHouse(t, logins, func(c *Config) { c.client("web").RefreshTokenValidity = Duration(time.Hour) })
	s := &meanwhileStore{MemoryStore: h.store}
	h.state.store = s
	_, r0 := h.login().tokens(t)
	_, r1 := h.refresh("web", r0).tokens(t)
	h.clock = h.clock.Add(59 * time.Minute)
	var access string
	s.meanwhile = func() {
		access, _ = h.refresh("web", r1).tokens(t)
		h.records.Reset() // Each request has one record.
	}
	h.refresh("web", r0).refused(t, 400, "invalid_grant", "refresh_token_reused")
	h.clock = h.clock.Add(10 * time.Minute)
	_ = h.revocations.Len()
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", access)); v.Reason != scopes.ReasonTokenRevoked {
		t.Errorf("got %s", v.Reason)
	}
}

// A revocation of a user goes by the login and not by the age of a token.
func TestRevokedSubjectTakesRefreshedTokens(t *testing.T) {
	h := newHouse(t, logins)
	_, refresh := h.login().tokens(t)
	h.clock = h.clock.Add(20 * time.Minute)
	access, _ := h.refresh("web", refresh).tokens(t)
	if err := h.revoke(t.Context(), RevokeSubject("example.com:ada", start.Add(10*time.Minute), h.clock.Add(24*time.Hour))); err != nil {
		t.Fatal(err)
	}
	if v, _ := h.pass(h.shop(t), bearer("GET", "/orders/7", access)); v.Reason != scopes.ReasonTokenRevoked {
		t.Errorf("got %s", v.Reason)
	}
}

// The size of the access token counts, also beside an id token that fits.
func TestTooLargeAccessTokenUsesNothingUp(t *testing.T) {
	var literals []string
	for i := range 40 {
		literals = append(literals, fmt.Sprintf("%s%02d", strings.Repeat("x", 58), i))
	}
	h := newHouse(t, logins)
	h.withUsers(strings.Replace(baseUsers, "shop/orders.read orders/** reports/{org}/*", "shop/orders.read "+strings.Join(literals, " "), 1),
		func(c *Config) { c.client("web").Permit = lines("shop/* **", "crm/* **") })
	code := h.code(t, func(c *Code) {
		c.Set = `{"servicesScopes":[{"permissions":[{"permissionId":"orders.read","resources":["` + strings.Join(literals, `","`) + `"]}],"serviceDefinitionId":"shop"}]}`
	})
	h.redeem("web", code).refused(t, 400, "invalid_scope", "token_too_large")
	h.redeem("web", code, "allowed_resource_scope", scopeOf("orders.read", literals[0])).tokens(t)
}

// A record that is prolonged for an access token prolongs no refresh token.
func TestProlongedRecordsAreNotRefreshedLonger(t *testing.T) {
	h := newStateHouse(t)
	refresh := h.begin("g")
	fam, err := h.Families().Load(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	turn, err := h.Families().Present(t.Context(), refresh, "web")
	if err != nil {
		t.Fatal(err)
	}
	next, err := turn.Rotate(t.Context(), testAttempt(t, h.State), fam.End.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	h.clock.pass(fam.End.Sub(h.now()) + time.Second)
	if _, err := h.Families().Present(t.Context(), next, "web"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}

package tokenexchange

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// Whoever writes to the store can neither make up a consent nor move one.
func TestConsentIsSealed(t *testing.T) {
	h := newStateHouse(t)
	h.remembers(h.State, adasShop, "one")
	key := func(name consentName) string { return h.Consents().key(h.ring[0], name) }
	raw := must(h.store.Get(t.Context(), key(adasShop)))
	if strings.Contains(string(raw), "openid") || strings.Contains(key(adasShop), "ada") {
		t.Error("a reader of the store sees what was granted, or by whom")
	}
	other := adasShop
	other.Client = "other"
	if _, err := h.store.Add(t.Context(), key(other), raw, h.now().Add(consentLife)); err != nil {
		t.Fatal(err)
	}
	changed := slices.Clone(raw)
	changed[len(changed)-1] ^= 1
	if ok, err := h.store.Swap(t.Context(), key(adasShop), raw, changed, h.now().Add(consentLife)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for what, name := range map[string]consentName{"moved": other, "changed": adasShop} {
		h.recalls(what, h.State, name, "")
		if _, err := h.Consents().Load(t.Context(), name); !errors.Is(err, ErrStateCorrupt) {
			t.Errorf("%s: got %v, want a cause for the log", what, err)
		}
		h.remembers(h.State, name, "anew")
		h.recalls(what+", and decided anew", h.State, name, "anew")
	}
}

// TestConsentThatIsPutBack shows what a writer of the store can do, which
// docs/stores.md says: an older consent counts again, until its own end.
func TestConsentThatIsPutBack(t *testing.T) {
	h := newStateHouse(t)
	h.remembers(h.State, adasShop, "wide")
	key := h.Consents().key(h.ring[0], adasShop)
	wide, end := must(h.store.Get(t.Context(), key)), h.now().Add(consentLife)
	h.clock.pass(consentLife / 2)
	h.remembers(h.State, adasShop, "less")
	now := must(h.store.Get(t.Context(), key))
	if ok, err := h.store.Swap(t.Context(), key, now, wide, end.Add(consentLife)); !ok || err != nil {
		t.Fatal(ok, err)
	}
	h.recalls("put back", h.State, adasShop, "wide")
	h.clock.pass(consentLife / 2)
	h.recalls("at its own end", h.State, adasShop, "")
}

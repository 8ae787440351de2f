package browser

import (
	"sync"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// secrets are what the tests used and what must stand in no log.
type secrets struct {
	mu   sync.Mutex
	seen map[string]string // value -> what it is
}

func (s *secrets) add(what, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]string{}
	}
	if len(value) >= 8 { // Shorter ones would be found in anything.
		s.seen[value] = what
	}
}

func (s *secrets) all() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := map[string]string{}
	for value, what := range s.seen {
		list[value] = what
	}
	return list
}

// search looks for what the log must not have.
func (h *house) search() {
	h.t.Helper()
	for _, token := range h.upstream.received() {
		h.secrets.add("a token for the upstream", token)
	}
	text, all := h.Log(), h.secrets.all()
	for _, found := range outside.Findings(text, all) {
		h.t.Errorf("the log has %s", found)
	}
	h.t.Logf("searched %d bytes of the log for %d secrets", len(text), len(all))
}

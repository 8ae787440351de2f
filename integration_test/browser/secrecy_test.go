package browser

import (
	"regexp"
	"strings"
	"sync"
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

var (
	// crashed is what Go and Caddy print when a program is broken.
	crashed = regexp.MustCompile(`(?m)^panic: |^fatal error: |panic serving|\[recovered\]`)
	// looks are how JWTs, codes, refresh tokens and API tokens look.
	looks = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8}|\b[0-9a-f]{8}\.[A-Za-z0-9_~-]{8,64}\.([0-9]+\.)?[A-Za-z0-9_-]{43}\b`)
)

// search looks for what the log must not have.
func (h *house) search() {
	h.t.Helper()
	text := h.said()
	around := func(at int) string { return text[max(0, at-200):min(len(text), at+300)] }
	if at := crashed.FindStringIndex(text); at != nil {
		h.t.Errorf("the log has a panic: ...%s...", around(at[0]))
	}
	if at := looks.FindStringIndex(text); at != nil {
		h.t.Errorf("the log has a token or a code: ...%s...", around(at[0]))
	}
	for _, token := range h.upstream.received() {
		h.secrets.add("a token for the upstream", token)
	}
	all := h.secrets.all()
	for value, what := range all {
		if at := strings.Index(text, value); at >= 0 {
			h.t.Errorf("the log has %s: ...%s...", what, around(at))
		}
	}
	h.t.Logf("searched %d bytes of the log for %d secrets", len(text), len(all))
}

package tokenexchange

import (
	"context"
	"errors"
	"testing"
	"time"
)

// Without the store nothing is taken and nothing used up; and what was pushed
// outlives the process.
func TestPushedRequestAndTheStore(t *testing.T) {
	h := newHouse(t, requesters)
	uri := h.push("web").requestURI(t)
	away := &absentStore{Store: h.store, away: true}
	lose := false
	h.state.store = &losingStore{Store: away, lose: func() bool { return lose }}
	g := h.push("web")
	g.refused(t, 503, "temporarily_unavailable", "store_unavailable")
	if g.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	h.usesNot("a use without the store", "store_unavailable", "web", uri)
	h.usesNot("a guess without the store", "request_uri_invalid", "web", uri+"x")
	away.away, lose = false, true
	h.usesNot("a use whose answer was lost", "store_unavailable", "web", uri)
	lose = false
	if _, err := h.uses("web", uri); err != nil {
		t.Errorf("after an answer was lost: %v", err)
	}
	h.usesNot("a second use", "request_uri_invalid", "web", uri)

	uri = h.push("web").requestURI(t)
	h.Server = h.reload(NewCaches(), requesters)
	if p, err := h.uses("web", uri); err != nil || p["state"] != "af0ifjsldkj" {
		t.Errorf("after a restart: got %v, %v", p, err)
	}
	h.usesNot("a second use", "request_uri_invalid", "web", uri)
}

// A configuration that changed meanwhile decides.
func TestPushedRequestIsCheckedAgain(t *testing.T) {
	h := newHouse(t, requesters)
	uri := h.push("web").requestURI(t)
	h.Server = h.reload(h.caches, requesters, func(c *Config) { c.client("web").RedirectURIs = []string{callback + "/new"} })
	p, err := h.uses("web", uri)
	if err != nil {
		t.Fatal(err)
	}
	if q, err := h.authorizationRequest(p); err == nil || asRefused(err).Reason != "redirect_uri_unregistered" || q.redirectable() {
		t.Errorf("got %+v, %v", q, err)
	}
}

// absentStore does not answer while it is away.
type absentStore struct {
	Store
	away bool
}

var errAbsent = errors.New("no route to host")

func (s *absentStore) Get(ctx context.Context, key string) ([]byte, error) {
	if s.away {
		return nil, errAbsent
	}
	return s.Store.Get(ctx, key)
}

func (s *absentStore) Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error) {
	if s.away {
		return false, errAbsent
	}
	return s.Store.Add(ctx, key, val, exp)
}

package storetest

import (
	"context"
	"sync"

	"github.com/scopegate/scopegate/tokenexchange"
)

// gate lets a crowd read before any of it goes on, so that all decide on what
// stood there at first.
type gate struct {
	mu   sync.Mutex
	left int
	open chan struct{}
}

func (g *gate) hold(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left, g.open = n, make(chan struct{})
}

func (g *gate) pass() {
	g.mu.Lock()
	if g.left--; g.left == 0 {
		close(g.open)
	}
	open := g.open
	wait := g.left >= 0
	g.mu.Unlock()
	if wait {
		<-open
	}
}

type gatedStore struct {
	tokenexchange.Store
	tokenexchange.Feed
	gate *gate
}

func (s gatedStore) Get(ctx context.Context, key string) ([]byte, error) {
	val, err := s.Store.Get(ctx, key)
	s.gate.pass()
	return val, err
}

package tokenexchange

import (
	"context"
	"errors"
	"time"
)

// Readiness is the answer of /.well-known/scopegate/ready. It says nothing that
// a stranger may not know.
type Readiness struct {
	Ready bool `json:"ready"`
	// What the server waits for: "start", "epoch" or "revocations". Empty if it
	// is ready.
	WaitingFor []string `json:"waiting_for"`
	// "store" is "ok" or "away". Guards need no store, so one that is away is
	// told and does not make the server unready. "revocations" is "ok", or since
	// when those of other processes cannot be read, as in "away for 12s".
	Details map[string]string `json:"details"`
}

// readyTimeout is how long the store may take to answer.
const readyTimeout = 500 * time.Millisecond

// Ready says whether the server can do its work now. A nil server waits for its
// start. A store with another epoch than the one that the server began with was
// lost or replaced: what it had to refuse is unknown until a server that began
// with the new epoch takes over.
func (s *Server) Ready(ctx context.Context) Readiness {
	r := Readiness{WaitingFor: []string{}, Details: map[string]string{}}
	if s == nil {
		r.WaitingFor = append(r.WaitingFor, "start")
		return r
	}
	r.Details["store"] = "ok"
	now, err := s.storedEpoch(ctx)
	switch {
	case err == nil && now == s.epoch.ID:
	case errors.Is(err, ErrStoreUnavailable):
		r.Details["store"] = "away"
	default:
		r.WaitingFor = append(r.WaitingFor, "epoch")
	}
	r.Details["revocations"] = "ok"
	if age := s.revocations.Age().Truncate(time.Second); age > 0 {
		r.Details["revocations"] = "away for " + age.String()
	}
	if s.revocations.Unread() {
		r.WaitingFor = append(r.WaitingFor, "revocations")
	}
	r.Ready = len(r.WaitingFor) == 0
	return r
}

// storedEpoch reads the id of the store's epoch. Anyone may ask for readiness,
// so all who ask at once cost one look at the store, and the one who came first
// cannot spoil it by going away.
func (s *Server) storedEpoch(ctx context.Context) (string, error) {
	id, err := s.looks.do(func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTimeout)
		defer cancel()
		e, err := s.state.storedEpoch(ctx)
		return e.ID, err
	})
	return id.(string), err
}

package tokenexchange

import (
	"net/http/httptest"
	"testing"
	"time"
)

// deadlines is a ResponseWriter that remembers the read deadlines it was given.
type deadlines struct {
	*httptest.ResponseRecorder
	set []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.set = append(d.set, at)
	return nil
}

// A body that never ends must not hold the store, and a grant that takes its
// time must not run into the deadline of the body.
func TestBodyHasADeadlineAndTheGrantHasNone(t *testing.T) {
	h := newHouse(t)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	h.ServeHTTP(w, form("grant_type=x"))
	_, _ = showing{}.Write(w.Body.Bytes())
	if len(w.set) != 2 || time.Until(w.set[0]) <= 0 || time.Until(w.set[0]) > bodyTimeout || !w.set[1].IsZero() {
		t.Errorf("got the deadlines %v, want one within %v and then none", w.set, bodyTimeout)
	}
}

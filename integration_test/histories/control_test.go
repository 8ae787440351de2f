package histories

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/scopegate/scopegate/tokenexchange"
)

// direct answers requests from records, without a server around them.
type direct struct {
	t     *testing.T
	state *tokenexchange.State
}

func (d direct) send(k kind, token string) (answer, access, next string) {
	attempt, err := d.state.NewAttempt()
	if err != nil {
		d.t.Error(err)
		return "", "", ""
	}
	ctx := d.t.Context()
	if k == refresh {
		turn, err := d.state.Families().Present(ctx, token, clientID)
		if err == nil {
			next, err = turn.Rotate(ctx, attempt, time.Time{})
		}
		return d.answer(ctx, attempt, token, err, refreshUsed, refreshReused, refreshInvalid), "", next
	}
	found, err := d.state.Codes().Find(ctx, token, clientID)
	switch {
	case err != nil:
	case k == miss:
		if err = found.Miss(ctx, attempt); err == nil {
			return verifierWrong, "", ""
		}
	default:
		if err = found.Used(); err == nil {
			_, next, err = found.Spend(ctx, attempt, time.Time{}, time.Now().Add(time.Hour))
		}
	}
	return d.answer(ctx, attempt, token, err, codeUsed, codeReused, codeInvalid), "", next
}

func (d direct) answer(ctx context.Context, a tokenexchange.Attempt, token string, err error, used, reused, invalid string) string {
	switch {
	case err == nil:
		return granted
	case errors.Is(err, tokenexchange.ErrSpent):
		return used
	case errors.Is(err, tokenexchange.ErrNotFound):
		return invalid
	case errors.Is(err, tokenexchange.ErrReused):
		grant := bytes.Split([]byte(token), []byte("."))[1]
		if err := d.state.Families().Revoke(ctx, a, string(grant)); err != nil {
			d.t.Error(err)
		}
		return reused
	}
	d.t.Errorf("got %v, want an answer", err)
	return postponed
}

// distant is a store that gives others the time to come that a network takes.
type distant struct{ tokenexchange.Store }

func (s distant) Get(ctx context.Context, key string) ([]byte, error) {
	val, err := s.Store.Get(ctx, key)
	for range 20 {
		runtime.Gosched()
	}
	return val, err
}

// getThenSet is a store whose Swap is not atomic.
type getThenSet struct {
	tokenexchange.Store
	setting *sync.RWMutex
}

func (s getThenSet) Get(ctx context.Context, key string) ([]byte, error) {
	s.setting.RLock()
	defer s.setting.RUnlock()
	return s.Store.Get(ctx, key)
}

func (s getThenSet) Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error) {
	now, err := s.Get(ctx, key)
	if err != nil || !bytes.Equal(now, old) {
		return false, err
	}
	s.setting.Lock()
	defer s.setting.Unlock()
	if err := s.Delete(ctx, key); err != nil {
		return false, err
	}
	_, err = s.Add(ctx, key, new, exp)
	return err == nil, err
}

// constantRandom draws the same byte for ever.
type constantRandom struct{}

func (constantRandom) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 7
	}
	return len(p), nil
}

// TestTheCheckerSees records the same clients with a store whose Swap is a get
// and a set, and with a random source that is constant: some histories are not
// linearizable, and the checker says so. Without such a mistake all are.
func TestTheCheckerSees(t *testing.T) {
	const records = 100
	memory := func() tokenexchange.Store { return distant{tokenexchange.NewMemoryStore(nil)} }
	for _, c := range []struct {
		name   string
		store  tokenexchange.Store
		random io.Reader
		sound  bool
	}{
		{"no mistake", memory(), nil, true},
		{"get, then set", getThenSet{memory(), new(sync.RWMutex)}, nil, false},
		{"a constant random source", memory(), constantRandom{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKeys(t)
			key, err := tokenexchange.ParseStateKey([]byte(k.state))
			if err != nil {
				t.Fatal(err)
			}
			state, err := tokenexchange.NewState(c.store, issuer, []tokenexchange.StateKey{key}, nil, c.random)
			if err != nil {
				t.Fatal(err)
			}
			random := rand.New(rand.NewPCG(1, 1))
			wrong, twice := 0, 0
			for range records {
				r, err := issue(t, state)
				if err != nil {
					t.Fatal(err)
				}
				use(r, random, func() bool { return false }, func(*rand.Rand) target { return direct{t, state} })
				if linearizable(r.history, false) != porcupine.Ok {
					wrong++
				}
				if spent(r.history) > 1 {
					twice++
				}
			}
			t.Logf("%d of %d histories are not linearizable, %d codes were spent twice", wrong, records, twice)
			switch {
			case c.sound && (wrong != 0 || twice != 0):
				t.Error("want none")
			case !c.sound && (wrong == 0 || twice == 0):
				t.Error("want some: the histories can see nothing")
			}
		})
	}
}

// spent counts the redemptions of a code that succeeded.
func spent(history []operation) (n int) {
	for _, op := range history {
		if op.kind == redeem && op.answer == granted {
			n++
		}
	}
	return n
}

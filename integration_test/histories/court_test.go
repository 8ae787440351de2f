package histories

import (
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// operation is one request of a history, with times since some beginning.
type operation struct {
	request
	answer       string
	called, done time.Duration
}

// The windows in which a second use is only refused, a little shorter, since
// the server looks at its clock at some time between the two of ours.
const (
	codeWindow    = 5*time.Second - 100*time.Millisecond
	refreshWindow = 10*time.Second - 100*time.Millisecond
)

// checkTime bounds the check of one history, which takes milliseconds.
const checkTime = time.Minute

// linearizable tells whether the requests on one record could have happened one
// after the other, each at some moment between its call and its answer.
//
// In a lossy history answers of the store are lost, and the store sends its
// command again. What was written the first time may have been overtaken by
// another request meanwhile: then it counted, and the request is decided anew,
// by what it finds now. So it may use up a repeat or a try, or rotate, and be
// refused all the same. It uses more up, never less. A code is not overtaken by
// other redemptions, which write nothing.
func linearizable(history []operation, lossy bool) porcupine.CheckResult {
	first := map[request]time.Duration{} // when each was sent for the first time
	for _, op := range history {
		if at, known := first[op.request]; !known || op.called < at {
			first[op.request] = op.called
		}
	}
	var ops []porcupine.Operation
	for i, op := range history {
		r, done := op.request, int64(op.done)
		window := refreshWindow
		if op.kind == redeem {
			window = codeWindow
		}
		r.late, r.writes = op.done-first[r] >= window, 1
		if lossy && op.kind != redeem {
			r.writes = attempts
		}
		unknown := op.answer == postponed || op.answer == cut
		if unknown {
			done = math.MaxInt64 // It may happen yet.
		}
		ops = append(ops, porcupine.Operation{ClientId: i, Input: r, Output: op.answer, Call: int64(op.called), Return: done})
		if !unknown && r.writes > 1 && op.done-op.called >= retryPause {
			ops = append(ops, porcupine.Operation{ClientId: i, Input: r, Output: overtaken, Call: int64(op.called), Return: done})
		}
	}
	return porcupine.CheckOperationsTimeout(model, ops, checkTime)
}

// How often redisstore sends a command, and how long it waits before it does
// so again.
const (
	attempts   = 3
	retryPause = 5 * time.Millisecond
)

// court judges histories, and counts them.
type court struct {
	lossy bool // the store's answers may be lost

	mu                                      sync.Mutex
	histories, operations, unknown, revoked int
	wrong                                   int           // histories that are not linearizable
	slowest                                 time.Duration // of the checks
}

// judge fails the test if the history of a record is not linearizable. Nobody
// uses the record any more.
func (c *court) judge(t *testing.T, r *record) {
	t.Helper()
	begun := time.Now()
	got := linearizable(r.history, c.lossy)
	took := time.Since(begun)
	c.mu.Lock()
	defer c.mu.Unlock()
	if got != porcupine.Ok {
		if c.wrong++; c.wrong <= shownHistories {
			text := ""
			for _, op := range r.history {
				text += fmt.Sprintf("\n%12s to %12s  %-10s %s", op.called, op.done, op.request, op.answer)
			}
			t.Errorf("the history is not linearizable (%s):%s", got, text)
		}
		t.Fail()
	}
	c.histories++
	c.operations += len(r.history)
	for _, op := range r.history {
		if op.answer == postponed || op.answer == cut {
			c.unknown++
		}
	}
	if r.revoked {
		c.revoked++
	}
	c.slowest = max(c.slowest, took)
}

// shownHistories is how many wrong histories are printed.
const shownHistories = 3

func (c *court) sum() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprintf("%d histories of %d operations, %d of them with 503 or no answer; %d histories end revoked, %d are not linearizable; the slowest check took %s",
		c.histories, c.operations, c.unknown, c.revoked, c.wrong, c.slowest.Round(time.Millisecond))
}

package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Store keeps values by key until they expire, with four verbs that are each
// atomic. See docs/stores.md.
//
// A key is any 1 to MaxKeyLen bytes. A value is any bytes, none included; at
// least 1 MiB fits. Stores copy what they are given and hand out copies.
//
// Expiry is judged by the caller's clock (the Now of the store's constructor),
// never by the backend's: at exp a value is gone for every verb. It is kept in
// whole milliseconds, cut off. The backend may drop a value CollectAfter after
// exp, not sooner. An exp that is not in the future is ErrPastExpiry, because a
// value that is gone at once would let every Add win.
//
// Add and Swap answer true also when the present value equals the one to be
// written: a command whose answer was lost can be sent again. So two callers
// that race must never write equal bytes; State sees to that.
//
// A store that cannot answer gives an error that is not ErrNotFound. After an
// error a write may have happened or not. A context that is done gives its
// error, and a write with it that has not begun never happens.
type Store interface {
	// Get returns the value, or ErrNotFound when it is absent or expired.
	Get(ctx context.Context, key string) ([]byte, error)

	// Add writes val only if key is absent or expired, and tells whether val
	// is what is present now.
	Add(ctx context.Context, key string, val []byte, exp time.Time) (bool, error)

	// Swap writes new only if the present value is old, and tells whether new
	// is what is present now. An absent or expired value matches nothing, and
	// an empty old is ErrEmptyOld. False does not say that new was never there:
	// if the answer was lost, somebody may have replaced new before the repeat.
	Swap(ctx context.Context, key string, old, new []byte, exp time.Time) (bool, error)

	// Delete removes key. An absent key is no error.
	Delete(ctx context.Context, key string) error
}

// MaxKeyLen is the length in bytes of the longest key.
const MaxKeyLen = 1024

// CollectAfter is how long after its expiry a value stays in the backend. It
// covers clocks that differ between replicas and clocks that are set back.
const CollectAfter = time.Minute

// Errors that every store gives. Whatever else a store returns is a fault of
// the store, and says nothing about the value.
var (
	// ErrNotFound says that the value is absent or expired. Only Get gives it.
	ErrNotFound = errors.New("not found in the store")
	// ErrEmptyOld refuses a Swap whose old is empty: it would match what is absent.
	ErrEmptyOld = errors.New("swap with an empty old value")
	// ErrPastExpiry refuses a write whose expiry is not in the future.
	ErrPastExpiry = errors.New("expiry is not in the future")
	// ErrBadKey refuses a key that is empty or longer than MaxKeyLen.
	ErrBadKey = errors.New("bad store key")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("store is closed")
)

// CheckKey gives ErrBadKey if key is not 1 to MaxKeyLen bytes. Stores call it
// first in Get and Delete.
func CheckKey(key string) error {
	if len(key) == 0 || len(key) > MaxKeyLen {
		return fmt.Errorf("%w: %d bytes, not 1 to %d", ErrBadKey, len(key), MaxKeyLen)
	}
	return nil
}

// CheckWrite gives ErrBadKey or ErrPastExpiry if a value may not be written
// under key until exp. Stores call it first in Add and Swap.
func CheckWrite(key string, exp, now time.Time) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	return CheckExpiry(exp, now)
}

// CheckExpiry gives ErrPastExpiry if exp is not in the future. Feeds call it
// first in Publish.
func CheckExpiry(exp, now time.Time) error {
	if ms := exp.UnixMilli(); ms <= 0 || ms <= now.UnixMilli() {
		return fmt.Errorf("%w: %s, now %s", ErrPastExpiry, exp.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return nil
}

package scopes

import (
	"errors"
	"fmt"
)

// The limits of docs/scopes.md, section 3.1.
const (
	maxServices  = 64
	maxEntries   = 256
	maxCanonical = 3 << 10
	maxInput     = 16 << 10
)

// ErrTooLarge is what every [*LimitError] unwraps to.
var ErrTooLarge = errors.New("the resource scope is too large")

// LimitError says that a scope is over a limit of docs/scopes.md, section 3.1.
// Such a scope is refused whole: nothing is ever cut off.
type LimitError struct {
	Limit string // "services", "entries", "bytes in canonical form" or "bytes of input"
	Max   int    // what is allowed
	Used  int    // what was found, or at least that much where counting stopped
}

// Percent is how much of the limit is used, in whole percent, rounded up.
func (e *LimitError) Percent() int { return (e.Used*100 + e.Max - 1) / e.Max }

// Error names the limit and the percentage used.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%v: %d %s, %d%% of the limit of %d", ErrTooLarge, e.Used, e.Limit, e.Percent(), e.Max)
}

// Unwrap returns [ErrTooLarge].
func (e *LimitError) Unwrap() error { return ErrTooLarge }

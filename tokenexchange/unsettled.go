package tokenexchange

import (
	"crypto/sha256"
	"time"
)

// unsettled remembers the writes of this process that no answer came to, and
// what stood there before. Whoever asked for such a write was answered with
// 503, so nobody holds what it would have given: if its bytes are found, they
// count as what they replaced. It is bounded; what it forgets counts as done,
// which refuses more.
type unsettled struct {
	replaced *cache[[sha256.Size]byte, storedRecord] // by the bytes written
}

// unsettledWeight is the bound in bytes: some thousand records.
const unsettledWeight = 4 << 20

func newUnsettled() *unsettled {
	return &unsettled{replaced: newCache[[sha256.Size]byte, storedRecord](unsettledWeight)}
}

// add remembers that val, which lives until exp, may have replaced a record.
func (u *unsettled) add(val []byte, found storedRecord, exp time.Time) {
	u.replaced.put(sha256.Sum256(val), found, exp, 512+len(found.raw)+len(found.payload))
}

// before gives a record that was found as it counts. Its raw bytes stay those
// that were found, since the next swap compares with them.
func (u *unsettled) before(found storedRecord, now time.Time) storedRecord {
	if was, ok := u.replaced.get(sha256.Sum256(found.raw), now); ok {
		found.payload, found.exp = was.payload, was.exp
	}
	return found
}

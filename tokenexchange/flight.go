package tokenexchange

import (
	"crypto/sha256"

	"golang.org/x/sync/singleflight"
)

// flights lets one of many equal requests do the work and gives its result to
// all: a stampede of one new token costs one verification and one signature.
type flights struct{ group singleflight.Group }

// do runs work for the parts of a key. Keys of different kinds have different
// numbers of parts, which keeps a verification and an exchange apart.
func (f *flights) do(work func() (any, error), key ...[sha256.Size]byte) (any, error) {
	name := make([]byte, 0, 3*sha256.Size)
	for _, part := range key {
		name = append(name, part[:]...)
	}
	v, err, _ := f.group.Do(string(name), work)
	return v, err
}

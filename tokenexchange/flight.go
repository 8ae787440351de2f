package tokenexchange

import (
	"fmt"

	"golang.org/x/sync/singleflight"
)

// flights lets one of many equal requests do the work and gives its result to
// all: a stampede of one new token costs one verification and one signature.
type flights struct{ group singleflight.Group }

func (f *flights) do(key any, work func() (any, error)) (any, error) {
	// The key types differ, so %T keeps a verification and an exchange apart.
	v, err, _ := f.group.Do(fmt.Sprintf("%T%x", key, key), work)
	return v, err
}

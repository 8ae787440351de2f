package tokenexchange_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/boltstore"
)

// TestLoginOverRestartsWithBolt closes the file and opens it again between all
// steps of a login.
func TestLoginOverRestartsWithBolt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	var last *boltstore.Store
	tokenexchange.OverRestarts(t, func(now func() time.Time) tokenexchange.Store {
		if last != nil {
			if err := last.Close(); err != nil {
				t.Fatal(err)
			}
		}
		last = must(boltstore.Open(path, boltstore.Options{Now: now}))
		return last
	})
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
}

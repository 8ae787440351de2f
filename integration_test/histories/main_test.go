// Package histories records what clients of the real binary do with codes and
// refresh tokens while answers are lost, and while Redis and the binary are
// frozen and killed, and holds each history against a model of one record: it
// must be possible that the requests happened one after the other, each at some
// moment between its call and its answer (github.com/anishathalye/porcupine).
//
// It owns the model (model_test.go), the clients (record_test.go) and what the
// servers are told (server_test.go), which package outside runs; the store's
// servers come from storetest. It is a module of its own, so that the checker
// enters nobody's module graph.
//
// One promise: no test passes in which a code or a refresh token was spent
// twice, in which something was lost that a client was told about, or in which
// the checker could not have seen that.
package histories

import (
	"os"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// The binary is built without the race detector, with which it takes too long to
// start as often as it is killed here.
func TestMain(m *testing.M) { os.Exit(outside.Run(m)) }

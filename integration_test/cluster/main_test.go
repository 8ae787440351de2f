// Package cluster runs two servers of the real binary on one real Redis, under
// load, and looks from outside at what has to be dead everywhere: what was
// revoked, at whichever server, before and during an outage of the store, and
// before a restart; and at what has to live meanwhile: everything else.
//
// It owns the house that the servers stand in (house_test.go, server_test.go;
// package outside runs them), those who lose something (loss_test.go), the
// questions whether it is gone (question_test.go), and the load beside it
// (load_test.go). It is a module of its own, so that nothing else runs while it
// measures.
//
// One promise: no test passes in which a request that is not about something
// revoked got another answer than the one that it should have, in which a log
// shows a token, or in which a question was not answered with yes before it was
// answered with no.
package cluster

import (
	"os"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// The binary is built without the race detector: times are measured here.
func TestMain(m *testing.M) { os.Exit(outside.Run(m)) }

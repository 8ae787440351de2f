package caddymodule

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange"
)

// readyPath belongs to the handlers of this module: both answer it before
// anything else, and it is never forwarded.
const readyPath = "/.well-known/scopegate/ready"

// readyTimeout is how long a request waits for Start: apps start in any order,
// so the first requests can come before.
const readyTimeout = 5 * time.Second

// awayTimeout is how long it waits where Start is done and the store is away:
// that may last, and requests must not pile up.
const awayTimeout = 500 * time.Millisecond

// waitReady reports whether the app is at work, and waits a little for it.
func (a *App) waitReady(ctx context.Context) bool {
	if a.server.Load() != nil {
		return true
	}
	end, look := time.NewTimer(readyTimeout), time.NewTicker(awayTimeout)
	defer end.Stop()
	defer look.Stop()
	for {
		select {
		case <-a.ready:
			return a.server.Load() != nil
		case <-ctx.Done():
			return false
		case <-a.ctx.Done(): // The configuration was refused while it started.
			return false
		case <-end.C:
			return false
		case <-look.C:
			if a.waitsFor.Load() != nil {
				return false
			}
		}
	}
}

// decisionLog is where decisions go that no server makes: to the log of all
// others. A handler that no app works with has only its own.
func (a *App) decisionLog(own *slog.Logger) *slog.Logger {
	if a == nil {
		return own
	}
	return a.log
}

// readiness is the answer of readyPath. It names no address, so that everybody
// may read it.
type readiness struct {
	tokenexchange.Readiness
	// The reason of requests that are refused meanwhile, as in docs/errors.md.
	Reason string `json:"reason,omitempty"`
}

// readiness says whether the app is at work. No app, and the zero one, is not.
func (a *App) readiness(ctx context.Context) readiness {
	var server *tokenexchange.Server
	waits := ""
	if a == nil {
		waits = "configuration"
	} else if server = a.server.Load(); server == nil && a.waitsFor.Load() != nil {
		waits = *a.waitsFor.Load()
	}
	r := readiness{Readiness: server.Ready(ctx)}
	if since := a.staleFor(); since > 0 {
		r.Details["files"] = "a change is not in force for " + since.Truncate(time.Second).String()
	}
	if waits != "" {
		r.WaitingFor = []string{waits}
	}
	if !r.Ready {
		r.Reason = scopes.ReasonNotReady.String()
	}
	return r
}

// staleFor returns for how long files hold something that is not in force.
func (a *App) staleFor() time.Duration {
	if a == nil {
		return 0
	}
	if since := a.stale.Load(); since != nil {
		return time.Since(*since)
	}
	return 0
}

// serveReady answers readyPath, and does not wait for Start as other requests
// do: probes have a timeout of their own. Like every answer of a handler of ours it is no error.
func serveReady(w http.ResponseWriter, r *http.Request, a *App) error {
	h := w.Header()
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "expected GET, HEAD", http.StatusMethodNotAllowed)
		return nil
	}
	answer := a.readiness(r.Context())
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if !answer.Ready {
		h.Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	if r.Method == http.MethodGet {
		_ = json.NewEncoder(w).Encode(answer) // The prober is gone if this fails.
	}
	return nil
}

package caddymodule

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange"
)

// Every configuration has a registry of its own, so the collectors belong to
// the process: their counts outlive a reload. No label comes from a request.
var (
	guardDecisions = counter("scopegate_guard_decisions_total", "Requests that a guard decided on, by the reason of the answer.", "service", "reason")
	guardWouldDeny = counter("scopegate_guard_would_deny_total", "Requests that only mode audit let pass, by the reason for which they would be refused.", "service", "reason")
	filesRead      = counter("scopegate_files_reread_total", "Changes of the files that a configuration names, by what became of them: in_force or refused.", "result")
	unauthorized   = counter("scopegate_upstream_unauthorized_total", "Answers 401 from behind a guard.", "service")
)

// filesStale tells it for the running configuration.
var filesStale = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
	Name: "scopegate_files_stale_seconds", Help: "How long files of the configuration hold something that is not in force, such as a mistake; 0 if they do not.",
}, func() float64 {
	if app := active(); app != nil {
		return app.staleFor().Seconds()
	}
	return 0
})

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// registerMetrics makes the collectors part of a configuration. The app and each
// guard do it, and the second one is not the first.
func registerMetrics(ctx caddy.Context) error {
	for _, c := range []prometheus.Collector{guardDecisions, guardWouldDeny, unauthorized, filesRead, filesStale, revocations, unpublished, revocationAge} {
		var already prometheus.AlreadyRegisteredError
		if err := ctx.GetMetricsRegistry().Register(c); err != nil && !errors.As(err, &already) {
			return fmt.Errorf("registering the metrics: %w", err)
		}
	}
	return nil
}

// guardMetrics are the counters of one service, looked up before a request
// comes. A guard that was not bound counts nothing.
type guardMetrics struct {
	decided      []prometheus.Counter // by reason
	wouldDeny    *prometheus.CounterVec
	unauthorized prometheus.Counter
}

func newGuardMetrics(service string) *guardMetrics {
	m := &guardMetrics{
		decided:      make([]prometheus.Counter, len(scopes.Reasons())),
		wouldDeny:    guardWouldDeny.MustCurryWith(prometheus.Labels{"service": service}),
		unauthorized: unauthorized.WithLabelValues(service),
	}
	for _, reason := range scopes.Reasons() {
		m.decided[reason] = guardDecisions.WithLabelValues(service, reason.String())
	}
	return m
}

func (m *guardMetrics) count(v *tokenexchange.Verdict) {
	if m == nil {
		return
	}
	m.decided[v.Reason].Inc()
	if v.WouldDeny != "" {
		m.wouldDeny.WithLabelValues(v.WouldDeny).Inc()
	}
}

func (m *guardMetrics) upstreamRefused() {
	if m != nil {
		m.unauthorized.Inc()
	}
}

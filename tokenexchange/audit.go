package tokenexchange

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"sync/atomic"

	"github.com/scopegate/scopegate/scopes"
)

// decisionHeader carries the decision id of a refusal.
const decisionHeader = "Scopegate-Decision"

// decisionIDs hands out ids: a random prefix for the process and a counter.
type decisionIDs struct {
	prefix string
	count  atomic.Uint64
}

func newDecisionIDs() *decisionIDs { return &decisionIDs{prefix: rand.Text()[:10] + "-"} }

func (d *decisionIDs) next() string { return d.prefix + strconv.FormatUint(d.count.Add(1), 36) }

// Record is the one audit record of a decision. It has no field that could
// hold a token, a secret or a request body.
type Record struct {
	DecisionID string
	Endpoint   string // "guard", or which endpoint of the issuer
	Allowed    bool
	Reason     string
	WouldDeny  string // the reason for which only mode audit let it pass
	Cause      string // what went wrong, for operators
	Client     string // the authenticated client, or the token's
	Subject    string
	Actor      string
	Org        string
	Grant      string
	Audience   string
	TokenID    string // jti of what was issued, or asked about
	Service    string
	Method     string
	Path       string
	Rule       string
	Peer       string
	ClaimedIP  string // subject_ip, as a client that may say it claims
	Missing    []scopes.Need
}

// auditMessage is the message of every audit record.
const auditMessage = "decision"

// level is that of the record, and whether the log wants it. An allowed request
// on the proxy path is a debug record, because a line for each would cost as
// much as the guard itself: the access log has the decision id of all.
// Everything else is always written.
func (rec *Record) level(ctx context.Context, log *slog.Logger) (slog.Level, bool) {
	level := slog.LevelInfo
	switch {
	case !rec.Allowed, rec.WouldDeny != "":
		level = slog.LevelWarn
	case rec.Endpoint == "guard":
		level = slog.LevelDebug
	}
	return level, log != nil && log.Enabled(ctx, level)
}

// write emits the record, if the log wants it.
func (rec *Record) write(ctx context.Context, log *slog.Logger) {
	level, wanted := rec.level(ctx, log)
	if !wanted {
		return
	}
	attrs := make([]slog.Attr, 0, 16)
	attrs = append(attrs,
		slog.String("decision_id", rec.DecisionID), slog.String("endpoint", rec.Endpoint),
		slog.Bool("allowed", rec.Allowed), slog.String("reason", rec.Reason))
	for _, f := range []struct{ key, value string }{
		{"would_deny", rec.WouldDeny},
		{"cause", rec.Cause},
		{"client_id", rec.Client},
		{"sub", rec.Subject},
		{"act", rec.Actor},
		{"org", rec.Org},
		{"grant", rec.Grant},
		{"aud", rec.Audience},
		{"jti", rec.TokenID},
		{"service", rec.Service},
		{"method", rec.Method},
		{"path", rec.Path},
		{"rule", rec.Rule},
		{"peer", rec.Peer},
		{"claimed_ip", rec.ClaimedIP},
	} {
		if f.value != "" {
			attrs = append(attrs, slog.String(f.key, f.value))
		}
	}
	if len(rec.Missing) > 0 {
		attrs = append(attrs, slog.Any("missing", rec.Missing))
	}
	log.LogAttrs(ctx, level, auditMessage, attrs...)
}

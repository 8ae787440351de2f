package caddymodule

import (
	"fmt"
	"slices"
	"time"
)

// The words of a guard's options. The first of each is the default.
const (
	audienceExchange, clientDelegate               = "audience_exchange", "client_delegate"
	toService, toRule                              = "to_service", "to_rule"
	refuseSlash, keepSlash                         = "refuse", "keep"
	preflightBlock, preflightPass, preflightAnswer = "block", "pass", "answer"
)

// Audit says that a guard forwards for a while what it would refuse for want of
// a right.
type Audit struct {
	// The first moment at which the guard enforces: a date in UTC, such as
	// 2026-12-31, or a time as in RFC 3339. At most 90 days ahead.
	Until string `json:"until"`

	// Also forward what no rule names.
	IncludingNoRule bool `json:"including_no_rule,omitempty"`
}

// maxAudit keeps an audit from becoming the way it is.
const maxAudit = 90 * 24 * time.Hour

// until returns when the audit ends. It may have ended.
func (a *Audit) until(now time.Time) (time.Time, error) {
	end, err := time.Parse(time.DateOnly, a.Until)
	if err != nil {
		end, err = time.Parse(time.RFC3339, a.Until)
	}
	switch {
	case err != nil:
		return time.Time{}, fmt.Errorf("audit until %q; expected a date such as 2026-12-31, or a time such as 2026-12-31T12:00:00Z", a.Until)
	case end.Sub(now) > maxAudit:
		return time.Time{}, fmt.Errorf("audit until %s: more than 90 days ahead; expected %s at the latest", a.Until, now.UTC().Add(maxAudit).Format(time.DateOnly))
	}
	return end, nil
}

// checkOptions checks the options as JSON may have them.
func (g *Guard) checkOptions(now time.Time) error {
	for _, o := range []struct {
		word, value string
		values      []string
	}{
		{"exchange", g.Exchange, []string{audienceExchange, clientDelegate}},
		{"narrow", g.Narrow, []string{toService, toRule}},
		{"encoded_slash", g.EncodedSlash, []string{refuseSlash, keepSlash}},
		{"preflight", g.Preflight, []string{preflightBlock, preflightPass, preflightAnswer}},
	} {
		if o.value != "" && !slices.Contains(o.values, o.value) {
			return g.wrong("%s: unrecognized %q; expected %s", o.word, o.value, oneOf(o.values))
		}
	}
	// TODO(wiring): until the guard of package tokenexchange takes options.
	if g.Exchange == clientDelegate || g.Narrow == toRule || g.EncodedSlash == keepSlash || g.HideExistence ||
		g.Preflight != "" && g.Preflight != preflightBlock || g.Audit != nil {
		if g.Audit == nil {
			return g.wrong("an option that is not built yet; expected the defaults")
		}
	}
	if g.Audit == nil {
		return nil
	}
	if _, err := g.Audit.until(now); err != nil {
		return g.wrong("mode: %w", err)
	}
	return nil
}

package caddymodule

import (
	"fmt"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
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

// options are the options as package tokenexchange takes them.
func (g *Guard) options() (tokenexchange.GuardOptions, error) {
	o := tokenexchange.GuardOptions{
		Exchange: g.Exchange, NarrowToRule: g.NarrowToRule, HideExistence: g.HideExistence,
		Preflight: g.Preflight, EncodedSlashKeep: g.EncodedSlashKeep, Client: g.Client,
		RevocationMaxStaleness: time.Duration(g.RevocationMaxStaleness),
	}
	if g.Audit == nil {
		return o, nil
	}
	end, err := time.Parse(time.DateOnly, g.Audit.Until)
	if err != nil {
		end, err = time.Parse(time.RFC3339, g.Audit.Until)
	}
	if err != nil || end.IsZero() {
		return o, fmt.Errorf("mode audit until %q; expected a date such as 2026-12-31, or a time such as 2026-12-31T12:00:00Z", g.Audit.Until)
	}
	o.AuditUntil, o.AuditNoRule = end, g.Audit.IncludingNoRule
	return o, nil
}

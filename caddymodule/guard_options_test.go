package caddymodule

import (
	"strings"
	"testing"
	"time"
)

// TestAuditUntil holds when an audit ends. A date is its first moment in UTC.
func TestAuditUntil(t *testing.T) {
	for until, want := range map[string]string{
		"2026-12-31":                "2026-12-31T00:00:00Z",
		"2026-12-31T12:00:00Z":      "2026-12-31T12:00:00Z",
		"2026-12-31T13:00:00+01:00": "2026-12-31T12:00:00Z",
		"2020-01-01":                "2020-01-01T00:00:00Z",
		"":                          "expected a date such as",
		"0001-01-01":                "expected a date such as", // The zero time is no audit.
		"2026-12-31 12:00:00":       "expected a date such as",
		"31.12.2026":                "expected a date such as",
		"2026-12-31T12:00:00":       "expected a date such as",
	} {
		o, err := (&Guard{Audit: &Audit{Until: until, IncludingNoRule: true}}).options()
		got := o.AuditUntil.UTC().Format(time.RFC3339)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) || o.AuditNoRule != (err == nil) || err != nil && !o.AuditUntil.IsZero() {
			t.Errorf("audit until %q: got %s, want %s", until, got, want)
		}
	}
}

// TestAuditTooFar holds the line of an audit that would never end.
func TestAuditTooFar(t *testing.T) {
	const text = "{\n\tscopegate {\n\t\tissuer https://auth.example.com\n\t}\n}\n:8081 {\n\tguard shop {\n\t\tmode audit until %\n\t\tGET /a read a\n\t}\n}\n"
	for days, want := range map[int]string{89: "", 91: "guard shop: mode audit until "} {
		_, err := adapt(strings.Replace(text, "%", time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly), 1))
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "Caddyfile:8")) {
			t.Errorf("%d days ahead: got %v, want an error with %q and the line", days, err, want)
		}
	}
}

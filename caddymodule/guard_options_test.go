package caddymodule

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
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

// TestAuditTooFar holds the line of an audit that would never end. At midnight 91
// days ahead are 90.
func TestAuditTooFar(t *testing.T) {
	const text = "{\n\tscopegate {\n\t\tissuer https://auth.example.com\n\t}\n}\n:8081 {\n\tguard shop {\n\t\tmode audit until %\n\t\tGET /a read a\n\t}\n}\n"
	for days, want := range map[int]string{89: "", 92: "guard shop: mode audit until "} {
		_, err := adapt(strings.Replace(text, "%", time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly), 1))
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.HasSuffix(err.Error(), "Caddyfile:8")) {
			t.Errorf("%d days ahead: got %v, want an error with %q and the line", days, err, want)
		}
	}
}

// TestGuardOptions takes each word from the Caddyfile to the guard at work.
func TestGuardOptions(t *testing.T) {
	const batch = `		client batch {
			secret a-secret-of-the-tests-only
			grant_types audience_exchange client_delegate
			target_audiences https://shop.example.com
			permit shop/* **
		}
`
	audit := time.Now().UTC().AddDate(0, 0, 30).Truncate(24 * time.Hour)
	for words, want := range map[string]tokenexchange.GuardOptions{
		"":                             {},
		"client batch":                 {Client: "batch"},
		"exchange client_delegate":     {Exchange: "client_delegate"},
		"narrow to_rule":               {NarrowToRule: true},
		"narrow to_service":            {},
		"hide_existence":               {HideExistence: true},
		"encoded_slash keep":           {EncodedSlashKeep: true},
		"encoded_slash refuse":         {},
		"preflight answer":             {Preflight: "answer"},
		"preflight pass":               {Preflight: "pass"},
		"mode enforce":                 {},
		"revocation_max_staleness 30s": {RevocationMaxStaleness: 30 * time.Second},
		"mode audit until " + audit.Format(time.DateOnly):                        {AuditUntil: audit},
		"mode audit until " + audit.Format(time.DateOnly) + " including no_rule": {AuditUntil: audit, AuditNoRule: true},
	} {
		t.Run(words, func(t *testing.T) {
			w := newLive(t)
			if got := w.start(t, live(batch, "\t\t"+words+"\n")).guards[0].opts; got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// TestAuditAtStart says in the log what a mode does, and that one has ended.
func TestAuditAtStart(t *testing.T) {
	for until, want := range map[string]string{
		"2020-12-31": "mode audit has ended",
		time.Now().UTC().AddDate(0, 0, 30).Format(time.DateOnly): "mode audit: requests pass",
	} {
		w := newLive(t)
		w.start(t, live("", "\t\tmode audit until "+until+"\n\t\thide_existence\n"))
		if out := w.outcome(nil); !strings.Contains(out, "warning: "+want) || !strings.Contains(out, "guard: shop") {
			t.Errorf("audit until %s: got %s, want a warning: %s", until, out, want)
		}
		if !slices.ContainsFunc(w.logged(), func(entry map[string]any) bool { return entry["until"] == until }) {
			t.Errorf("the log does not show the date %s as it was written", until)
		}
		r, err := http.NewRequest("GET", w.url("/nothing"), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+w.token(t))
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 404 {
			t.Errorf("no rule, with hide_existence: got %d, want 404", res.StatusCode)
		}
	}
}

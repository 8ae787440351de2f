package caddymodule

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// series returns the counters of ours as the running configuration shows them,
// written as name{service,reason}.
func series(t *testing.T) map[string]float64 {
	t.Helper()
	ctx := caddy.ActiveContext()
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if !strings.HasPrefix(family.GetName(), "scopegate_") {
				continue
			}
			labels := map[string]string{}
			for _, l := range metric.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			name := strings.TrimPrefix(family.GetName(), "scopegate_") + "{" + labels["service"]
			if reason, ok := labels["reason"]; ok {
				name += "," + reason
			}
			all[name+"}"] += metric.GetCounter().GetValue()
		}
	}
	return all
}

// TestMetrics drives two guards over two reloads: each series goes on counting.
func TestMetrics(t *testing.T) {
	w := newLive(t)
	until := time.Now().UTC().AddDate(0, 0, 30).Format(time.DateOnly)
	config := strings.Replace(live("\t\tservice blog https://blog.example.com {\n\t\t\tpermissions read\n\t\t}\n", ""),
		"\tguard shop {", "\thandle /blog/* {\n\t\tguard blog {\n\t\t\tpublic GET /blog/{_rest...}\n\t\t}\n\t\trespond 401\n\t}\n\thandle {\n\tguard shop {", 1)
	config = strings.Replace(config, "\trespond behind\n", "\trespond behind\n\t}\n", 1)
	config = strings.Replace(config, "\t\tGET /orders/{id} read", "\t\tmode audit until "+until+"\n\t\tGET /orders/{id} write", 1)
	w.start(t, config)
	token, before := w.token(t), series(t)
	for i, change := range []string{"", "\t\tpublic GET /one\n", "\t\tpublic GET /two\n"} {
		if err := w.load(strings.Replace(config, "\t\tpublic GET /healthz\n", "\t\tpublic GET /healthz\n"+change, 1)); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]int{"/orders/1": 200, "/blog/a": 401, "/nothing": 403} {
			w.guarded(t, path, token, want)
		}
		if got := w.status(t, "/orders/1"); got != 401 {
			t.Errorf("without a token: got %d, want 401", got)
		}
		now := series(t)
		for name, each := range map[string]float64{
			"guard_decisions_total{shop,allowed}": 1, "guard_decisions_total{shop,no_rule}": 1, "guard_decisions_total{shop,no_token}": 1,
			"guard_decisions_total{shop,token_leak}": 0, "guard_decisions_total{blog,allowed}": 1, "guard_decisions_total{blog,no_token}": 0,
			"guard_would_deny_total{shop,permission_missing}": 1, "guard_would_deny_total{blog,permission_missing}": 0,
			"upstream_unauthorized_total{blog}": 1, "upstream_unauthorized_total{shop}": 0,
		} {
			if got, want := now[name]-before[name], each*float64(i+1); got != want {
				t.Errorf("after %d loads: %s: got %v, want %v", i+1, name, got, want)
			}
		}
	}
	ctx := caddy.ActiveContext()
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		// Other tests of this process count for services of their own.
		text := family.String()
		for _, secret := range []string{liveSecret, token, token[:20], token[len(token)-20:], "orders", "nightly"} {
			if strings.HasPrefix(family.GetName(), "scopegate_") && strings.Contains(text, secret) {
				t.Errorf("%s shows %q, of a request or a token", family.GetName(), secret)
			}
		}
	}
}

package caddymodule

import (
	"os"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/tokenexchange"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func freshPEM(t *testing.T) string {
	t.Helper()
	key, err := tokenexchange.GenerateSigningKey("ES256")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := key.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem)
}

func freshStateKey(t *testing.T) string {
	t.Helper()
	key, err := newStateKey()
	if err != nil {
		t.Fatal(err)
	}
	return string(key)
}

// reading is what the app works with now.
func (a *App) reading() *tokenexchange.Realm {
	a.work.Lock()
	defer a.work.Unlock()
	return a.work.realm
}

// counted is a series of the running configuration, by the value of its label
// result.
func counted(t *testing.T, name, result string) (value float64) {
	t.Helper()
	ctx := caddy.ActiveContext()
	families, err := ctx.GetMetricsRegistry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if labels := metric.GetLabel(); family.GetName() == name && (result == "" || len(labels) == 1 && labels[0].GetValue() == result) {
				value += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
			}
		}
	}
	return value
}

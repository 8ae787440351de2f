package caddymodule

import (
	"os"
	"testing"

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

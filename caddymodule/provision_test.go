package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/tokenexchange"
)

// TestProvision loads configurations that adapt, and holds what is said of
// mistakes that only a whole configuration shows. A case is the inside of the
// global option, an empty line, and the sites.
func TestProvision(t *testing.T) {
	t.Setenv("SCOPEGATE_TEST_SECRET", strings.Repeat("s", 32))
	t.Setenv("SCOPEGATE_TEST_SHORT", "s")
	t.Setenv("SCOPEGATE_TEST_EMPTY", "")
	runCases(t, "testdata/provision/*.txt", func(t *testing.T, in string) string {
		w := newWorld(t)
		w.fill(t)
		cfg, err := w.config(w.wrap(in))
		if err == nil {
			err = caddy.Validate(cfg)
		}
		if _, statErr := os.Stat(w.path("data")); statErr == nil {
			t.Error("checking a configuration wrote into the data directory")
		}
		return w.outcome(err)
	})
}

// wrap makes a Caddyfile of the inside of the global option and the sites.
func (w world) wrap(in string) string {
	inside, sites, _ := strings.Cut(in, "\n\n")
	return `{
	admin off
	persist_config off
	default_bind 127.0.0.1
	storage file_system DIR/storage
	log {
		output file DIR/log {
			roll_disabled
		}
		level WARN
	}
	scopegate {
` + inside + `
	}
}
` + sites
}

// fill writes the files that configurations name.
func (w world) fill(t *testing.T) {
	t.Helper()
	for _, alg := range []string{"ES256", "RS256"} {
		w.write(t, strings.ToLower(alg)+".pem", pemOf(t, alg))
	}
	state, err := newStateKey()
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, "state.key", string(state))
	w.write(t, "empty", "\n")
	w.write(t, "secret", strings.Repeat("f", 32)+"\n")
	files, err := filepath.Glob("testdata/users/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no users files", err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		w.write(t, filepath.Base(file), string(data))
	}
}

var pems = map[string]string{} // An RSA key takes a second to make.

func pemOf(t *testing.T, alg string) string {
	t.Helper()
	if pems[alg] == "" {
		key, err := tokenexchange.GenerateSigningKey(alg)
		if err != nil {
			t.Fatal(err)
		}
		pem, err := key.Encode()
		if err != nil {
			t.Fatal(err)
		}
		pems[alg] = string(pem)
	}
	return pems[alg]
}

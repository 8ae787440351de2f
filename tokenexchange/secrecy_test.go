package tokenexchange

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// ledger collects, over the whole test run, what was secret and what was shown
// to logs and in answers to refused requests. At the end the two are held
// against each other.
var ledger = struct {
	sync.Mutex
	secrets map[string]string // what it is, by value
	shown   bytes.Buffer
}{secrets: map[string]string{}}

// secret registers a value that must not be shown, and returns it.
func secret(what, value string) string {
	ledger.Lock()
	defer ledger.Unlock()
	key := value
	if len(key) > 64 {
		key, what = key[len(key)-32:], "the end of "+what
	}
	ledger.secrets[key] = what
	return value
}

// showing is an io.Writer for everything that outsiders or operators read.
type showing struct{}

func (showing) Write(b []byte) (int, error) {
	ledger.Lock()
	defer ledger.Unlock()
	return ledger.shown.Write(b)
}

func TestMain(m *testing.M) {
	code := m.Run()
	shown := ledger.shown.String()
	for value, what := range ledger.secrets {
		if at := strings.Index(shown, value); at >= 0 {
			from, to := max(0, at-120), min(len(shown), at+len(value)+40)
			fmt.Printf("%s was shown in a log or in the answer to a refused request: ...%s...\n", what, shown[from:to])
			code = 1
		}
	}
	os.Exit(code)
}

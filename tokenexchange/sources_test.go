package tokenexchange

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlace holds which line an error is put at: the one that it is about, else
// the block, else none.
func TestPlace(t *testing.T) {
	s := Sources{"": "Caddyfile:5"}
	for n, place := range []string{"Caddyfile:6", "Caddyfile:7", "Caddyfile:9"} {
		s.Add("permit", n, place)
	}
	wrong := errors.New("wrong")
	for _, tc := range []struct {
		name    string
		sources Sources
		block   string
		err     error
		want    string
	}{
		{"the first line", s, "client web", InLine("permit", 0, wrong), "Caddyfile:6: client web: permit: wrong"},
		{"the third line", s, "client web", InLine("permit", 2, wrong), "Caddyfile:9: client web: permit: wrong"},
		{"a line that nobody noted", s, "client web", InLine("permit", 3, wrong), "Caddyfile:5: client web: permit: wrong"},
		{"another word", s, "client web", InLine("own", 0, wrong), "Caddyfile:5: client web: own: wrong"},
		{"the block", s, "client web", wrong, "Caddyfile:5: client web: wrong"},
		{"no block", s, "", InLine("permit", 1, wrong), "Caddyfile:7: permit: wrong"},
		{"JSON", nil, "client web", InLine("permit", 1, wrong), "client web: permit: wrong"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.sources.Place(tc.block, tc.err)
			if got == nil || got.Error() != tc.want || !errors.Is(got, wrong) {
				t.Errorf("got %v, want %s", got, tc.want)
			}
		})
	}
	if s.Place("client web", nil) != nil || s.Place("client web", InLine("permit", 0, nil)) != nil {
		t.Error("no error became one")
	}
}

// TestReadFile names a file that cannot be read as it was written and where it
// was looked for.
func TestReadFile(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.WriteFile("there", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := ReadFile("there"); err != nil || string(data) != "x" {
		t.Errorf("got %q, %v, want x", data, err)
	}
	absolute := filepath.Join(dir, "absent.pem")
	if _, err := ReadFile("./absent.pem"); err == nil || !strings.HasPrefix(err.Error(), "./absent.pem: open "+absolute+": ") {
		t.Errorf("a relative path: got %v, want it and %s", err, absolute)
	}
	if _, err := ReadFile(absolute); err == nil || !strings.HasPrefix(err.Error(), "open "+absolute+": ") {
		t.Errorf("an absolute path: got %v, want it once", err)
	}
	if _, err := ReadFile(""); err == nil || !strings.Contains(err.Error(), "an empty path") {
		t.Errorf("no path: got %v, want an error", err)
	}
}

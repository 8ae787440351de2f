package outside

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestServer(t *testing.T) {
	t.Setenv("SCOPEGATE_BINARY", filepath.Join("testdata", "server.sh"))
	s := &Server{Dir: t.TempDir()}
	t.Cleanup(s.Kill)
	endsByItself := func() error {
		if err := os.WriteFile(filepath.Join(s.Dir, "end"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return s.Await(func() bool { return false })
	}
	for i, c := range []struct {
		name, code string
		end        func() error
		want       string // in the error
	}{
		{"stopped", "0", s.Stop, ""},
		{"stopped, and failed", "3", s.Stop, "exit code 3"},
		{"killed", "0", func() error { s.Kill(); return nil }, ""},
		{"ended by itself", "0", endsByItself, "ended by itself"},
	} {
		s.Env = []string{"CODE=" + c.code}
		if err := s.Exec(); err != nil {
			t.Fatal(err)
		}
		if err := s.Await(func() bool { return strings.Count(s.Log(), "serving") > i }); err != nil || !s.Running() {
			t.Errorf("%s: got %v, running: %v, want a log that goes on", c.name, err, s.Running())
		}
		err := c.end()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got the error %v, want %q", c.name, err, c.want)
		}
		if stopped := s.Stop(); (stopped != nil) != (c.name == "ended by itself") || s.Running() || !s.Ended() {
			t.Errorf("%s: got %v at a stop, running: %v, ended: %v, want it gone", c.name, stopped, s.Running(), s.Ended())
		}
	}
}

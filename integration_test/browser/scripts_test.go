package browser

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// minutes bounds one script, in which each scenario has its own bound, on a slow
// and busy machine.
const minutes = 12 * time.Minute

// told is what npm/reporter.mjs prints of each scenario.
type told struct {
	Name  string  `json:"name"`
	OK    bool    `json:"ok"`
	MS    float64 `json:"ms"`
	Error string  `json:"error"`
}

// play runs a script of the folder npm against a house. Each of its scenarios
// is a subtest of that name.
func (h *house) play(script string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), minutes)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "--no-warnings", "--test-reporter=./reporter.mjs", script)
	cmd.Dir, cmd.SysProcAttr = "npm", outside.DieWithParent()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.t.TempDir(), "WORLD=" + h.world(), "ONLY=" + os.Getenv("ONLY")}
	said := &strings.Builder{}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	scenarios := h.report(out)
	if err := cmd.Wait(); err != nil && !h.t.Failed() {
		h.t.Errorf("%s: %v", script, err)
	}
	if scenarios == 0 {
		h.t.Errorf("%s has no scenario", script)
	}
	if h.t.Failed() {
		h.t.Logf("%s said:\n%s", script, said)
	}
}

// report makes a subtest of each line, and counts them.
func (h *house) report(out io.Reader) (scenarios int) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return scenarios
		} else if err != nil {
			h.t.Error(err)
			return scenarios
		}
		var s told
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			h.t.Errorf("a line of a script: %q", line)
			continue
		}
		scenarios++
		h.t.Run(s.Name, func(t *testing.T) {
			t.Logf("%.1f s", s.MS/1000)
			if !s.OK {
				t.Error(s.Error)
			}
		})
	}
}

// world is what a script has to know.
func (h *house) world() string {
	text, err := json.Marshal(map[string]any{
		"addresses": h.addrs, "keyHash": keyHash, "certificate": filepath.Join(scratch, "server.pem"),
		"control": newControl(h), "password": password, "provider": h.provider.url, "clientSecret": clientSecret,
		"pictures": h.pictures,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return string(text)
}

// pictureFolder is the folder for screenshots: $PICTURES, or one that goes with the
// test.
func pictureFolder(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("PICTURES"); dir != "" {
		return dir
	}
	return t.TempDir()
}

package integration_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// shell is one bash that runs commands one after the other, so that a variable
// that one command sets is there for the next.
type shell struct {
	t       *testing.T
	dir     string // holds the commands and their output
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan string
	count   int
}

// newShell starts bash in the folder workDir, with its own home.
func newShell(t *testing.T, workDir string, env ...string) *shell {
	t.Helper()
	s := &shell{t: t, dir: t.TempDir(), answers: make(chan string)}
	s.cmd = exec.Command("bash", "--noprofile", "--norc")
	s.cmd.Dir = workDir
	s.cmd.Env = append(isolated(t, t.TempDir()), env...)
	s.cmd.SysProcAttr = outside.DieWithParent()
	s.cmd.SysProcAttr.Setpgid = true // So that kill reaches its commands too.
	s.cmd.WaitDelay = time.Second
	in, err := s.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("starting bash: %v", err)
	}
	s.in = in
	go func() {
		defer close(s.answers)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s.answers <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		in.Close()
		for range s.answers { // Bash ends when its input ends.
		}
		_ = s.cmd.Wait() // Its code is that of the last command.
	})
	return s
}

// run runs a command and returns what it wrote, to stdout and stderr as a
// terminal shows them, and its exit code.
func (s *shell) run(command string, timeout time.Duration) (output, code string, err error) {
	s.count++
	script := filepath.Join(s.dir, fmt.Sprintf("%d.sh", s.count))
	result := filepath.Join(s.dir, fmt.Sprintf("%d.out", s.count))
	if err := os.WriteFile(script, []byte(command+"\n"), 0o600); err != nil {
		return "", "", err
	}
	// Without input of its own a command would read the following ones.
	line := fmt.Sprintf(". '%s' </dev/null >'%s' 2>&1; echo \"$?\"\n", script, result)
	if _, err := io.WriteString(s.in, line); err != nil {
		return "", "", fmt.Errorf("bash has ended: %w", err)
	}
	select {
	case answer, ok := <-s.answers:
		data, err := os.ReadFile(result)
		if !ok {
			return string(data), "", fmt.Errorf("the command ended bash")
		}
		return string(data), answer, err
	case <-time.After(timeout):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		data, _ := os.ReadFile(result)
		return string(data), "", fmt.Errorf("the command did not end within %v", timeout)
	}
}

func TestShellKeepsItsState(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newShell(t, dir, "GREETING=hello")
	cases := []struct{ command, output, code string }{
		{"X=$(echo $GREETING)", "", "0"},
		{`echo "$X" && echo error >&2`, "hello\nerror\n", "0"},
		{"false", "", "1"},
		{"cat", "", "0"},
		{"pwd -P", dir + "\n", "0"},
		{"printf '%s-' a \\\n  b", "a-b-", "0"},
	}
	for _, c := range cases {
		output, code, err := s.run(c.command, waitTimeout)
		if err != nil || output != c.output || code != c.code {
			t.Errorf("%s: got %q, %q, %v, want %q, %q", c.command, output, code, err, c.output, c.code)
		}
	}
	if _, _, err := s.run("exit 3", waitTimeout); err == nil || !strings.Contains(err.Error(), "ended bash") {
		t.Errorf("exit: got error %v", err)
	}
	if _, _, err := newShell(t, dir).run("sleep 60", 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not end") {
		t.Errorf("sleep: got error %v", err)
	}
}

package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// How long a test waits at most. They measure nothing, and are long because the
// race detector makes Caddy slow and the machines of CI are small and busy.
const (
	startTimeout = time.Minute
	stopTimeout  = time.Minute
	waitTimeout  = time.Minute
)

// process is a running binary and what it wrote to stderr.
type process struct {
	cmd  *exec.Cmd
	log  *logBook
	done chan struct{} // closed after the process has ended and log is complete
	err  error         // from Wait; read it only after done
}

// launch starts the binary under test in a folder of its own, so that nothing
// of the person who runs the tests is read or written.
func launch(t *testing.T, dir, home string, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	cmd.Dir = dir
	cmd.Env = append(isolated(t, home), env...)
	cmd.SysProcAttr = outside.DieWithParent()
	p := &process{cmd: cmd, log: newLogBook(), done: make(chan struct{})}
	cmd.Stderr = p.log
	cmd.Stdout = p.log
	// A child that keeps our pipe open must not hold up the test.
	cmd.WaitDelay = waitTimeout
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	go func() {
		p.err = cmd.Wait()
		p.log.close()
		close(p.done)
	}()
	return p
}

// isolated is an environment in which Caddy's data, configuration and cache
// live below home, and in which no proxy is set. A binary with the race
// detector would otherwise sleep for a second at its end.
func isolated(t *testing.T, home string) []string {
	t.Helper()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8", "GORACE=atexit_sleep_ms=50"}
	for _, name := range []string{"data", "config", "cache"} {
		dir := filepath.Join(home, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		env = append(env, fmt.Sprintf("XDG_%s_HOME=%s", bytes.ToUpper([]byte(name)), dir))
	}
	return env
}

func (p *process) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("sending %v: %v", sig, err)
	}
}

// ended tells whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// terminate asks the process to stop, waits, and fails the test if it did not
// stop by itself, not with success, or after a crash.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	if p.ended() {
		t.Errorf("the process ended by itself: %v\n%s", p.err, p.log.text())
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("sending SIGTERM: %v", err)
	}
	select {
	case <-p.done:
	case <-time.After(stopTimeout):
		p.kill()
		t.Errorf("the process did not stop within %v after SIGTERM\n%s", stopTimeout, p.log.text())
		return
	}
	if p.err != nil {
		t.Errorf("the process ended with %v\n%s", p.err, p.log.text())
	}
	p.assertNoCrash(t)
}

// kill ends the process as a crash of the machine would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // It may be gone already.
	<-p.done
}

func (p *process) assertNoCrash(t *testing.T) {
	t.Helper()
	if text := p.log.text(); outside.Crashed.MatchString(text) {
		t.Errorf("the process reported a data race or a panic:\n%s", text)
	}
}

// assertCleanLog fails the test if a registered token, or any JWT at all, was
// written to the log.
func (p *process) assertCleanLog(t *testing.T) {
	t.Helper()
	for _, line := range p.log.since(0) {
		for _, finding := range append(registered.leaks([]byte(line.Raw)), strangers([]byte(line.Raw), "")...) {
			t.Errorf("log: %s: %s", finding, line.Raw)
		}
	}
}

// Result is what a command of the binary left behind.
type Result struct {
	Stdout, Stderr string
	Code           int
}

// Run runs a command of the binary that ends by itself, such as `validate`, in
// dir (a fresh folder if that is empty).
func Run(t *testing.T, dir string, args ...string) Result {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	cmd := exec.Command(binary(t), args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env = dir, isolated(t, t.TempDir())
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = outside.DieWithParent()
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", cmd.Path, err)
	}
	timer := time.AfterFunc(startTimeout, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	var failed *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &failed) {
		t.Fatalf("running %q: %v", args, err)
	}
	if outside.Crashed.Match(stderr.Bytes()) {
		t.Errorf("running %q: a data race or a panic:\n%s", args, &stderr)
	}
	return Result{Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
}

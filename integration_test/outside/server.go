package outside

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// patience bounds what a process may take to start and to stop on a slow and
// busy machine.
const patience = 60 * time.Second

// Server is a process of the binary, which runs with the Caddyfile of its folder.
// It may be ended and started again, and goes on with the same log.
type Server struct {
	Dir string
	Env []string // besides PATH and HOME, which is Dir

	cmd  *exec.Cmd     // nil before it was started, and after it was ended
	done chan struct{} // closed when the process has ended
}

// Exec starts the process, and does not wait until it serves.
func (s *Server) Exec() error {
	path, err := Binary()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd, done := exec.Command(path, "run", "--config", "Caddyfile"), make(chan struct{})
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = s.Dir, log, log, DieWithParent()
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Dir}, s.Env...)
	if err := cmd.Start(); err != nil {
		return err
	}
	s.cmd, s.done = cmd, done
	go func() {
		_ = cmd.Wait()
		_ = log.Close()
		close(done)
	}()
	return nil
}

// Await waits until the process is ready.
func (s *Server) Await(ready func() bool) error {
	for end := time.Now().Add(patience); !ready(); time.Sleep(3 * time.Millisecond) {
		if s.Ended() {
			return fmt.Errorf("the server ended by itself:\n%s", s.Log())
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server is not ready:\n%s", s.Log())
		}
	}
	return nil
}

// Ready tells whether a site of a server says that it is ready.
func Ready(client *http.Client, site string) bool {
	answer, err := client.Get(site + "/.well-known/scopegate/ready")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// Running tells whether the process was started, and not ended since by Kill or
// Stop.
func (s *Server) Running() bool { return s.cmd != nil }

// Ended tells whether the process that was started last is gone, be it by itself.
func (s *Server) Ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// Signal sends a signal to the process.
func (s *Server) Signal(sig os.Signal) error { return s.cmd.Process.Signal(sig) }

// Kill ends the process as a crash of the machine does, if it runs.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // It may have ended by itself.
	<-s.done
	s.cmd = nil
}

// Stop ends the process as Kubernetes does, if it runs. It is an error if it had
// ended by itself, has to be killed, or says that it failed.
func (s *Server) Stop() error {
	if s.cmd == nil {
		return nil
	}
	defer s.Kill()
	if err := s.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping the server: %w\n%s", err, s.Log())
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		return fmt.Errorf("the server does not stop:\n%s", s.Log())
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the server stopped with the exit code %d:\n%s", code, s.Log())
	}
	return nil
}

// Log is what the processes in this folder have written so far.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.logFile())
	return string(text)
}

func (s *Server) logFile() string { return filepath.Join(s.Dir, "log") }

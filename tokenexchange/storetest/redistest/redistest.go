// Package redistest starts real redis-servers for tests: on free ports of the
// loopback address, each with a folder of its own, every write on disk before
// it is answered. It stops them by their own process id, and fails, never
// skips, when redis-server is missing.
package redistest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// Server is one process of redis-server.
type Server struct {
	t      testing.TB
	port   int
	dir    string
	config string
	flags  []string
	tls    *tls.Config // nil is plain TCP

	settings map[string]string

	cmd *exec.Cmd
	out *os.File
}

// patience bounds what a server may take to start, and to answer.
const patience = time.Minute

// Start starts a server with appendonly yes and appendfsync always, waits until
// it answers, and stops it when the test ends. Lines are added to its
// configuration, so the last one counts.
func Start(t testing.TB, lines ...string) *Server {
	t.Helper()
	return start(t, nil, nil, append(durable, lines...))
}

// StartTLS is Start with TLS only, for clients with a certificate.
func StartTLS(t testing.TB, certs Certificates, lines ...string) *Server {
	t.Helper()
	// It asks its own server, whose certificate is not what is tested here.
	ask := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certs.Client}}
	return start(t, nil, ask, slices.Concat(durable, certs.lines, lines))
}

// NoSync lets the kernel write to the disk when it likes, for tests of something
// else than the store: a disk that is busy for longer than a server waits would
// make it answer 503. What was answered outlives Kill all the same.
const NoSync = "appendfsync no"

var durable = []string{
	"appendonly yes", "appendfsync always", `save ""`, "maxmemory-policy noeviction",
	"repl-diskless-sync-delay 0", // A replica is there at once, not after 5 s.
}

// StartSentinel starts a Sentinel that watches master under name. On a slow
// machine a master that pauses must not look like one that is gone, so nobody
// but Failover promotes a replica.
func StartSentinel(t testing.TB, name string, master *Server) *Server {
	t.Helper()
	return start(t, []string{"--sentinel"}, nil, []string{
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %d 1", name, master.port),
		fmt.Sprintf("sentinel down-after-milliseconds %s 600000", name),
	})
}

// Failover has a Sentinel promote a replica of a master that was killed. After a
// pause of the machine it may see no good one for a while.
func (s *Server) Failover(name string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		answer, err := s.ask("SENTINEL FAILOVER "+name, patience)
		if err == nil && answer == "+OK" {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the Sentinel does not fail %s over: got %q, %v", name, answer, err)
		}
	}
}

func start(t testing.TB, flags []string, ask *tls.Config, lines []string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is missing. Install it first, for example: apt-get install redis-server")
	}
	logVersion(t)
	for try := 1; ; try++ {
		s := &Server{t: t, port: outside.FreePort(t), dir: t.TempDir(), flags: flags, tls: ask, settings: map[string]string{}}
		port := fmt.Sprint("port ", s.port)
		if ask != nil {
			port = fmt.Sprintf("port 0\ntls-port %d", s.port)
		}
		config := fmt.Sprintf("bind 127.0.0.1\n%s\ndir %s\ndaemonize no\nprotected-mode no\n", port, s.dir)
		for _, line := range lines {
			name, val, _ := strings.Cut(line, " ")
			s.settings[name] = val
			config += line + "\n"
		}
		s.config = filepath.Join(s.dir, "redis.conf")
		if err := os.WriteFile(s.config, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.run()
		if err == nil {
			t.Cleanup(s.Kill)
			return s
		}
		// Another process may have taken the port meanwhile.
		if try == 5 {
			t.Fatalf("starting redis-server: %v", err)
		}
	}
}

var logVersion = func() func(testing.TB) {
	version := sync.OnceValue(func() string {
		out, err := exec.Command("redis-server", "--version").CombinedOutput()
		return strings.TrimSpace(fmt.Sprint(string(out), errText(err)))
	})
	return func(t testing.TB) { t.Log(version()) }
}()

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// run starts the process and waits until it answers.
func (s *Server) run() error {
	out, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		return err
	}
	s.cmd = exec.Command("redis-server", append([]string{s.config}, s.flags...)...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.SysProcAttr = outside.DieWithParent()
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.out = out
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		answer, err := s.ask("PING", time.Second)
		if err == nil && !strings.HasPrefix(answer, "-LOADING") && s.listens() {
			return nil
		}
		if s.cmd.Process.Signal(syscall.Signal(0)) != nil || time.Now().After(deadline) || s.exited() {
			s.Kill()
			said, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("no answer: %v\n%s", err, said)
		}
	}
}

// listens tells whether the process has its port. What answers there may be the
// server of another test, which was faster; the log is of this one alone.
func (s *Server) listens() bool {
	said, err := os.ReadFile(filepath.Join(s.dir, "log"))
	return err == nil && (bytes.Contains(said, []byte("Ready to accept connections")) || bytes.Contains(said, []byte("Sentinel ID is")))
}

// exited tells whether the process has ended by itself.
func (s *Server) exited() bool {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WNOHANG, nil)
	return err == nil && pid == s.cmd.Process.Pid
}

// Addr is the address to connect to.
func (s *Server) Addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// Port is the port of Addr.
func (s *Server) Port() int { return s.port }

// Stop freezes the process: connections are taken and never answered.
func (s *Server) Stop() { s.signal(syscall.SIGSTOP) }

// Cont lets a frozen process go on.
func (s *Server) Cont() { s.signal(syscall.SIGCONT) }

// Kill ends the process at once, as a crash does. What it has on disk stays.
func (s *Server) Kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // It may have ended by itself.
	_ = s.cmd.Wait()
	_ = s.out.Close()
	s.cmd = nil
}

// Restart starts a killed server again, with its folder and port. An outgoing
// connection of somebody may have the port for a moment.
func (s *Server) Restart() {
	s.t.Helper()
	for try := 1; ; try++ {
		err := s.run()
		if err == nil {
			return
		}
		if try == 5 {
			s.t.Fatalf("restarting redis-server: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("sending %v to redis-server: %v", sig, err)
	}
}

// Do sends one command of plain words, and gives the first line of the answer.
// An error answer fails the test.
func (s *Server) Do(command string) string {
	s.t.Helper()
	answer, err := s.ask(command, patience)
	if err != nil || strings.HasPrefix(answer, "-") {
		s.t.Fatalf("redis-server, %s: got %q, %v", command, answer, err)
	}
	return answer
}

func (s *Server) ask(command string, timeout time.Duration) (string, error) {
	var conn net.Conn
	var err error
	dialer := &net.Dialer{Timeout: timeout}
	if s.tls != nil {
		conn, err = tls.DialWithDialer(dialer, "tcp", s.Addr(), s.tls)
	} else {
		conn, err = dialer.Dial("tcp", s.Addr())
	}
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(timeout))
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

// Text sends one command of plain words, and gives whatever comes back until
// the server has nothing more to say.
func (s *Server) Text(command string) string {
	s.t.Helper()
	out, err := exec.Command("redis-cli", append([]string{"-p", fmt.Sprint(s.port)}, strings.Fields(command)...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("redis-cli, %s: got %s, %v", command, out, err)
	}
	return string(out)
}

// Setting is what the configuration says for a name.
func (s *Server) Setting(name string) string { return s.settings[name] }

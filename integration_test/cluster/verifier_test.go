package cluster

import (
	"bufio"
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// verifierDir has verifier.mjs, and the packages of all programs for node.
var verifierDir = filepath.Join("..", "clients", "npm")

// verifier is a process of node that verifies tokens with npm jose, as somebody
// else's service does who knows the key sets alone.
type verifier struct {
	t     *testing.T
	sets  int
	input io.Writer
	wait  func()

	mu       sync.Mutex
	asked    int
	answers  int
	kids     map[string]bool // that verified a token
	failures []string
	waiting  map[int]asked // by the number of the question
}

// asked is what a token is, and when it is over.
type asked struct {
	what string
	over time.Time
}

// startVerifier gives the verifier the key sets of these servers.
func startVerifier(t *testing.T, servers ...*server) *verifier {
	t.Helper()
	args := []string{"verifier.mjs"}
	for _, s := range servers {
		args = append(args, s.url+"/oauth2/jwks")
	}
	cmd := exec.Command(outside.Node(t, verifierDir, "jose"), args...)
	cmd.Dir, cmd.SysProcAttr = verifierDir, outside.DieWithParent()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	v := &verifier{t: t, sets: len(servers), input: input, kids: map[string]bool{}, waiting: map[int]asked{}}
	read := make(chan struct{})
	go func() {
		defer close(read)
		v.read(output)
	}()
	v.wait = sync.OnceFunc(func() {
		_ = input.Close()
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("the verifier: %v\n%s", err, &stderr)
		}
	})
	t.Cleanup(v.wait)
	return v
}

func (v *verifier) read(output io.Reader) {
	for lines := bufio.NewScanner(output); lines.Scan(); {
		var said struct {
			ID         int
			KID, Error string
		}
		if err := json.Unmarshal(lines.Bytes(), &said); err != nil {
			v.t.Errorf("the verifier said %q: %v", lines.Text(), err)
			return
		}
		v.mu.Lock()
		v.answers++
		switch q := v.waiting[said.ID]; {
		case said.Error == "":
			v.kids[said.KID] = true
		case time.Now().Before(q.over):
			v.failures = append(v.failures, q.what+", key "+said.KID+": "+said.Error)
		}
		delete(v.waiting, said.ID)
		v.mu.Unlock()
	}
}

// verify has a token verified with the key set of each server.
func (v *verifier) verify(what, token, typ, audience string, over time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for set := range v.sets {
		v.asked++
		v.waiting[v.asked] = asked{time.Now().Format("15:04:05.000 ") + what, over}
		line, err := json.Marshal(map[string]any{"id": v.asked, "set": set, "token": token, "typ": typ, "audience": audience})
		if err == nil {
			_, err = v.input.Write(append(line, '\n'))
		}
		if err != nil {
			v.t.Errorf("asking the verifier: %v", err)
			return
		}
	}
}

// end waits for all answers.
func (v *verifier) end() {
	v.t.Helper()
	v.wait()
	if v.answers != v.asked {
		v.t.Errorf("the verifier answered %d of %d questions", v.answers, v.asked)
	}
}

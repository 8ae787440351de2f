package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// keyRoom is a folder of key files as Kubernetes mounts a secret: each file is a
// link through `..data`, which is replaced at once, so a reader sees all files
// of one change or all of another.
type keyRoom struct {
	t       *testing.T
	dir     string
	changes int
	signing []string // the first signs; then those to come; then those that did
	state   []string // the first seals; the last is the next
}

// newKeyRoom has so many keys, none of which was ever used.
func newKeyRoom(t *testing.T, signing, state int) *keyRoom {
	t.Helper()
	r := &keyRoom{t: t, dir: t.TempDir()}
	for range signing {
		r.signing = append(r.signing, newSigningKey(t))
	}
	for range state {
		r.state = append(r.state, outside.StateKey())
	}
	r.publish()
	for name := range r.files() {
		if err := os.Symlink(filepath.Join("..data", name), filepath.Join(r.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *keyRoom) files() map[string]string {
	files := map[string]string{}
	for i, key := range r.signing {
		files[fmt.Sprintf("signing-%02d.pem", i)] = key
	}
	for i, key := range r.state {
		files[fmt.Sprintf("state-%02d", i)] = key
	}
	return files
}

// lines name the files in a Caddyfile.
func (r *keyRoom) lines() string {
	var lines []string
	for i := range r.signing {
		lines = append(lines, fmt.Sprintf("signing_key file %s/signing-%02d.pem", r.dir, i))
	}
	for i := range r.state {
		lines = append(lines, fmt.Sprintf("state_key file %s/state-%02d", r.dir, i))
	}
	return strings.Join(lines, "\n\t\t")
}

// publish replaces all files in one step.
func (r *keyRoom) publish() {
	r.t.Helper()
	r.changes++
	fresh := fmt.Sprintf("..%s_%d", time.Now().UTC().Format("2006_01_02_15_04_05"), r.changes)
	if err := os.Mkdir(filepath.Join(r.dir, fresh), 0o700); err != nil {
		r.t.Fatal(err)
	}
	for name, content := range r.files() {
		write(r.t, filepath.Join(r.dir, fresh, name), content)
	}
	data := filepath.Join(r.dir, "..data")
	old, _ := os.Readlink(data) // None the first time.
	if err := os.Symlink(fresh, data+"_tmp"); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(data+"_tmp", data); err != nil {
		r.t.Fatal(err)
	}
	if old != "" {
		if err := os.RemoveAll(filepath.Join(r.dir, old)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// rotateSigning has the next key sign. The key that is made now is published,
// and signs after all that were published before it: so many, as lead says. The
// oldest of those that signed goes.
func (r *keyRoom) rotateSigning(lead int) {
	r.t.Helper()
	fresh, first := newSigningKey(r.t), r.signing[0]
	coming, gone := r.signing[1:1+lead], r.signing[1+lead:]
	next := append(append([]string{}, coming...), fresh)
	r.signing = append(append(next, first), gone[:len(gone)-1]...)
}

// rotateState has the last key seal, which all servers have had for a while,
// and adds a new last one. The oldest goes.
func (r *keyRoom) rotateState() {
	n := len(r.state)
	r.state = append(append([]string{r.state[n-1]}, r.state[:n-2]...), outside.StateKey())
}

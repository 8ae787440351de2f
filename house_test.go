package scopegate_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// These tests keep the house rules that a reader of one file cannot see: what
// is built from what, and which package may know which.

const (
	root     = "github.com/scopegate/scopegate"
	caddy    = "github.com/caddyserver/caddy/v2"
	standard = caddy + "/modules/standard"
)

var update = flag.Bool("update", false, "write testdata/modules.txt anew")

// pkg is the part of `go list -json` that is looked at here. Test files are
// not in it: a test may import what it likes.
type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
	Module     *struct{ Path string }
}

// goList runs the go command for the system that is shipped, so that the
// answers are the same on every machine.
func goList(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Fatalf("go list %q: %v\n%s", args, err, failed.Stderr)
		}
		t.Fatalf("go list %q: %v", args, err)
	}
	return out
}

// packages lists all packages of the module and everything below them.
func packages(t *testing.T) map[string]pkg {
	t.Helper()
	all := map[string]pkg{}
	dec := json.NewDecoder(bytes.NewReader(goList(t, "-deps", "-json=ImportPath,Standard,Imports,Deps,Module", "./...")))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("reading the answer of go list: %v", err)
		}
		all[p.ImportPath] = p
	}
}

// The binary of `go run` and of the tests must hold what the shipped one holds.
func TestShippedBinaryIsTheTestedOne(t *testing.T) {
	data, err := os.ReadFile("xcaddy.json")
	if err != nil {
		t.Fatal(err)
	}
	var shipped struct {
		CaddyVersion string `json:"caddy_version"`
		Plugins      []struct {
			ModulePath string `json:"module_path"`
		} `json:"plugins"`
	}
	if err := json.Unmarshal(data, &shipped); err != nil {
		t.Fatalf("reading xcaddy.json: %v", err)
	}
	if got, want := shipped.CaddyVersion, strings.TrimSpace(string(goList(t, "-m", "-f", "{{.Version}}", caddy))); got != want {
		t.Errorf("caddy_version of xcaddy.json: got %s, go.mod has %s", got, want)
	}

	var got []string
	for _, plugin := range shipped.Plugins {
		got = append(got, plugin.ModulePath)
	}
	want := blankImports(t, "cmd/caddy/main.go")
	want = slices.DeleteFunc(want, func(path string) bool { return path == standard })
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plugins of cmd/caddy/main.go (-) and xcaddy.json (+):\n%s", diff)
	}
}

func blankImports(t *testing.T, file string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, spec := range parsed.Imports {
		if spec.Name != nil && spec.Name.Name == "_" {
			paths = append(paths, strings.Trim(spec.Path.Value, `"`))
		}
	}
	slices.Sort(paths)
	return paths
}

// importers names, for a package or everything below it, the packages of this
// module that may import it themselves. Nobody else may.
var importers = []struct {
	path string
	by   []string
}{
	{caddy, []string{"/caddymodule", "/cmd/caddy"}},
	{"github.com/caddyserver/certmagic", []string{"/caddymodule"}},
	{"go.uber.org/zap", []string{"/caddymodule"}},
	{"github.com/prometheus", []string{"/caddymodule"}},
	{"go.etcd.io/bbolt", []string{"/tokenexchange/boltstore"}},
	{"github.com/redis", []string{"/tokenexchange/redisstore"}},
	{"github.com/coreos/go-oidc", []string{"/tokenexchange/oidcusers"}},
	{"golang.org/x/oauth2", []string{"/tokenexchange/oidcusers"}},
	{"github.com/alicebob/miniredis", nil},
	{root + "/tokenexchange/storetest", nil},
	{root + "/integration_test/outside", []string{"/tokenexchange/storetest/redistest"}},
	{root + "/tokenexchange/internal/mint", []string{"/tokenexchange"}},
	{root + "/caddymodule", []string{""}},
}

func TestImportersAreTheNamedOnes(t *testing.T) {
	for path, p := range packages(t) {
		if p.Module == nil || p.Module.Path != root {
			continue
		}
		for _, rule := range importers {
			importer := strings.TrimPrefix(path, root)
			if under(path, rule.path) || slices.Contains(rule.by, importer) {
				continue
			}
			for _, imported := range p.Imports {
				if under(imported, rule.path) {
					t.Errorf("%s imports %s; only %q may", path, imported, rule.by)
				}
			}
		}
	}
}

// reach says what a package may never depend on, however indirectly.
var reach = []struct {
	pkg   string
	never []string
}{
	{"/scopes", []string{"net", "log", root + "/tokenexchange", root + "/caddymodule"}},
	{"/tokenexchange", []string{
		caddy, "go.uber.org/zap", "github.com/prometheus", "github.com/redis", "go.etcd.io/bbolt", "github.com/coreos/go-oidc", "golang.org/x/oauth2", root + "/caddymodule",
	}},
	{"/tokenexchange/oidcusers", []string{
		caddy, "github.com/redis", "go.etcd.io/bbolt", root + "/caddymodule", root + "/tokenexchange/boltstore", root + "/tokenexchange/redisstore",
	}},
	{"/tokenexchange/internal/mint", []string{
		caddy, root + "/caddymodule", root + "/tokenexchange/boltstore", root + "/tokenexchange/redisstore",
	}},
	{"/tokenexchange/redisstore", []string{caddy, "go.etcd.io/bbolt", root + "/caddymodule", root + "/tokenexchange/boltstore"}},
	{"/tokenexchange/boltstore", []string{caddy, "github.com/redis", root + "/caddymodule", root + "/tokenexchange/redisstore"}},
	{"/tokenexchange/storetest", []string{caddy, "github.com/redis", "go.etcd.io/bbolt", root + "/caddymodule"}},
	{"/tokenexchange/storetest/redistest", []string{root + "/tokenexchange", "github.com/redis"}},
	{"/tokenexchange/storetest/faultproxy", []string{root + "/tokenexchange", "github.com/redis"}},
	// Only the standard library: no other module, this one neither.
	{"/integration_test/outside", []string{"github.com", "go.etcd.io", "go.uber.org", "golang.org"}},
}

func TestImportsGoOneWay(t *testing.T) {
	all := packages(t)
	for _, rule := range reach {
		p, ok := all[root+rule.pkg]
		if !ok {
			t.Errorf("the package %s is gone; change this rule with it", rule.pkg)
		}
		for _, never := range rule.never {
			for _, dep := range p.Deps {
				if under(dep, never) {
					t.Errorf("%s depends on %s, which it must never reach", p.ImportPath, dep)
				}
			}
		}
	}
}

// A decision is a value: no clock, no file, no network, no other module.
func TestScopesIsPure(t *testing.T) {
	all := packages(t)
	for path, p := range all {
		if !under(path, root+"/scopes") {
			continue
		}
		for _, imported := range p.Imports {
			switch {
			case imported == "time" || imported == "os" || under(imported, "net"):
				t.Errorf("%s imports %s; decisions have no clock and no input but their arguments", path, imported)
			case !all[imported].Standard && !under(imported, root+"/scopes"):
				t.Errorf("%s imports %s; it may use the standard library only", path, imported)
			}
		}
	}
}

func under(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// A new module in the binary is a decision: it has to be seen in a review.
// After deciding, run `go test . -run TestCompiledModules -update`.
func TestCompiledModules(t *testing.T) {
	const golden = "testdata/modules.txt"
	out := goList(t, "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/caddy")
	modules := map[string]bool{}
	for _, module := range strings.Fields(string(out)) {
		modules[module] = true
	}
	delete(modules, root)
	got := strings.Join(slices.Sorted(maps.Keys(modules)), "\n") + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("modules of the binary: decided (-), compiled (+):\n%s", diff)
	}
}

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/xcaddy"
)

// moduleDir makes a folder with a module in it and one in a folder below it.
func moduleDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, at := range []string{".", "sub"} {
		if err := os.MkdirAll(filepath.Join(dir, at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, at, "go.mod"), []byte("module x\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestParseConfigErrors(t *testing.T) {
	dir := moduleDir(t)
	cases := []struct{ name, in, want string }{
		{"no version of Caddy", `{}`, `caddy_version: "": expected one fixed version such as v2.11.9`},
		{"latest", `{"caddy_version":"latest"}`, `caddy_version: "latest": expected one fixed version`},
		{"plugin without path", `{"caddy_version":"v2.11.9","plugins":[{"version":"v1.0.0"}]}`, "plugins[0].module_path: expected an import path"},
		{"plugin without version", `{"caddy_version":"v2.11.9","plugins":[{"module_path":"x.org/a"}]}`, "plugins[0].version: expected a version, because x.org/a has no local replacement"},
		{"plugin of another module", `{"caddy_version":"v2.11.9","plugins":[{"module_path":"x.org/ab"}],"replacements":[{"old":"x.org/a","new":"."}]}`, "plugins[0].version: expected a version"},
		{"plugin twice", `{"caddy_version":"v2.11.9","plugins":[{"module_path":"a","version":"v1.0.0"},{"module_path":"a","version":"v1.0.0"}]}`, "plugins[1].module_path: a is named twice"},
		{"replacement without target", `{"replacements":[{"old":"a"}]}`, "replacements[0]: expected old (a module path) and new"},
		{"replaced twice", `{"replacements":[{"old":"a","new":"."},{"old":"a@v1.0.0","new":"."}]}`, "replacements[1].old: a is replaced twice"},
		{"target without dot", `{"replacements":[{"old":"a","new":"sub"}]}`, `replacements[0].new: "sub": expected a path that begins with ./, ../ or /, or module@version`},
		{"target is no module", `{"replacements":[{"old":"a","new":"./none"}]}`, "replacements[0].new: expected a folder with a go.mod"},
		{"embed without folder", `{"embed_dir":[{"name":"n"}]}`, "embed_dir[0].dir: expected a folder"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseConfig([]byte(c.in), dir)
			if err == nil {
				t.Fatalf("got no error, want %q", c.want)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %q, want it to contain %q", err, c.want)
			}
		})
	}
}

func TestRelativePathsStartAtTheFile(t *testing.T) {
	dir := moduleDir(t)
	path := filepath.Join(dir, "xcaddy.json")
	in := `{"caddy_version":"v2.11.9","plugins":[{"module_path":"x.org/a/plugin"}],
		"replacements":[{"old":"x.org/a","new":"."},{"old":"x.org/b","new":"./sub"},{"old":"x.org/c","new":"x.org/d@v1.0.0"},{"old":"x.org/e","new":"` + dir + `"}],
		"embed_dir":[{"dir":"files"}]}`
	if err := os.WriteFile(path, []byte(in), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir)) // The working directory must not matter.
	builder, err := readConfig(filepath.Join(filepath.Base(dir), "xcaddy.json"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{dir, filepath.Join(dir, "sub"), "x.org/d@v1.0.0", dir}
	for i, replacement := range builder.Replacements {
		if got := replacement.New.String(); got != want[i] {
			t.Errorf("replacements[%d].new: got %q, want %q", i, got, want[i])
		}
	}
	if got, want := builder.EmbedDirs[0].Dir, filepath.Join(dir, "files"); got != want {
		t.Errorf("embed_dir[0].dir: got %q, want %q", got, want)
	}
}

// The file that we ship has to pass our own reading of it.
func TestShippedConfig(t *testing.T) {
	builder, err := readConfig("../../xcaddy.json")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := builder.CgoEnabled(), "0"; got != want {
		t.Errorf("got CGO_ENABLED=%s, want %s", got, want)
	}
}

func TestReadConfigWithoutFile(t *testing.T) {
	_, err := readConfig(filepath.Join(t.TempDir(), "none.json"))
	if err == nil || !strings.Contains(err.Error(), "none.json") {
		t.Errorf("got error %v, want one that names the file", err)
	}
}

func TestEnvironmentKeepsLocalModulesAtHome(t *testing.T) {
	local := xcaddy.Builder{Replacements: []xcaddy.Replace{
		xcaddy.NewReplace("x.org/a", "/src/a"), xcaddy.NewReplace("x.org/b v1.0.0", "/src/b"), xcaddy.NewReplace("x.org/c", "x.org/d@v1.0.0"),
	}}
	cases := []struct {
		name      string
		builder   xcaddy.Builder
		inherited map[string]string
		want      map[string]string
	}{
		{"nothing local", xcaddy.Builder{}, nil, map[string]string{"GOWORK": "off", "GONOPROXY": "", "GONOSUMDB": "", "GOVCS": ""}},
		{"plain", local, nil, map[string]string{"GONOPROXY": "x.org/a,x.org/b", "GONOSUMDB": "x.org/a,x.org/b", "GOVCS": "x.org/a:off,x.org/b:off,public:git|hg,private:all"}},
		{
			"inherited values stay", local,
			map[string]string{"GOPRIVATE": "corp.org", "GONOSUMDB": "other.org", "GOVCS": "*:git"},
			map[string]string{"GONOPROXY": "x.org/a,x.org/b,corp.org", "GONOSUMDB": "x.org/a,x.org/b,other.org", "GOVCS": "x.org/a:off,x.org/b:off,*:git"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := environment(c.builder, func(name string) string { return c.inherited[name] })
			for name, want := range c.want {
				if got[name] != want {
					t.Errorf("%s: got %q, want %q", name, got[name], want)
				}
			}
		})
	}
}

func TestStamp(t *testing.T) {
	cases := []struct{ name, flags, version, want, wantErr string }{
		{"no version keeps xcaddy's own flags", "", "", "", ""},
		{"version", "", "v0.1.0-3-gabc", "CustomVersion=scopegate@v0.1.0-3-gabc", ""},
		{"a version is no flag", "", "x' -o /", "", "expected letters"},
		{"with flags of the configuration", "-trimpath", "v0.1.0", "", "-version cannot be used together"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			builder := xcaddy.Builder{BuildFlags: c.flags}
			err := stamp(&builder, c.version)
			if c.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantErr) {
					t.Fatalf("got error %v, want %q", err, c.wantErr)
				}
				return
			}
			if err != nil || !strings.Contains(builder.BuildFlags, c.want) {
				t.Errorf("got %q, %v, want flags with %q", builder.BuildFlags, err, c.want)
			}
		})
	}
}

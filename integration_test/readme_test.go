package integration_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	// goRun is how the README starts the binary; here it is built already.
	goRun       = "go run ./cmd/caddy"
	stepTimeout = 2 * time.Minute
)

// A reader types what the README shows, so all of it has to work, and to print
// what the README says.
func TestReadmeStory(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(repository(t), "README.md"))
	if err != nil {
		t.Fatalf("the README has to tell a story: %v", err)
	}
	examplePortsFree(t)
	runStory(t, string(data), repository(t))
}

// examplePortsFree fails when somebody else runs the example on this machine:
// Caddy shares ports between processes, so the story would talk to both.
func examplePortsFree(t *testing.T) {
	t.Helper()
	for _, port := range []string{"8080", "8081", "8082"} {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			conn.Close()
			t.Fatalf("port %s is in use; stop the example that runs there", port)
		}
	}
}

// The pages show commands too. Each story begins with a server of its own.
func TestDocsStories(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(repository(t), "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	stories := 0
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), "```console") {
			continue
		}
		stories++
		examplePortsFree(t)
		t.Run(filepath.Base(page), func(t *testing.T) { runStory(t, string(data), repository(t)) })
	}
	if stories == 0 {
		t.Error("no page shows a command")
	}
}

// runStory runs the commands of a document from the given folder. The command
// that runs the server stays in the background until the test ends; it must be
// the first.
func runStory(t *testing.T, document, dir string) {
	t.Helper()
	steps, err := parseStory(document)
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) < 2 || !strings.HasPrefix(steps[0].command, goRun+" run ") {
		t.Fatalf("got %d commands, want a console block that begins with %q, and at least one command after it", len(steps), "$ "+goRun+" run ...")
	}
	words := strings.Fields(strings.TrimPrefix(steps[0].command, goRun))
	server := launch(t, dir, t.TempDir(), nil, words...)
	t.Cleanup(func() {
		if !server.ended() {
			server.terminate(t)
		}
		server.assertCleanLog(t)
	})
	if _, ok := server.log.wait(startTimeout, 0, MsgIs("serving initial configuration")); !ok {
		server.kill()
		t.Fatalf("line %d: %s: the server did not start:\n%s", steps[0].line, steps[0].command, server.log.text())
	}
	s := newShell(t, dir, "SCOPEGATE_BINARY="+binary(t))
	for _, step := range steps[1:] {
		if strings.HasPrefix(step.command, "make") {
			t.Fatalf("line %d: %s: commands of make belong into a ```sh block, which is not run", step.line, step.command)
		}
		command := strings.ReplaceAll(step.command, goRun, `"$SCOPEGATE_BINARY"`)
		output, code, err := s.run(command, stepTimeout)
		learnStory(command + "\n" + output)
		if err != nil {
			t.Fatalf("line %d: $ %s: %v\n%s", step.line, step.command, err, output)
		}
		diff := differ(step.want, output)
		if code != "0" || diff != "" {
			if diff == "" {
				diff = output
			}
			t.Fatalf("line %d: $ %s\nexit code %s (want 0)\n%slog of the server:\n%s",
				step.line, step.command, code, diff, server.log.text())
		}
	}
	variables, _, err := s.run("declare -p", stepTimeout) // Many keep a token.
	if err != nil {
		t.Fatal(err)
	}
	learnStory(variables)
	if server.ended() {
		t.Errorf("the server ended during the story:\n%s", server.log.text())
	}
}

// The runner itself, with a configuration that needs nothing of ours.
func TestRunStory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ports := ports{}
	caddyfile := render(t, "{\n{{globals}}\n}\nhttp://:{{port `web`}} {\nrespond `{\"token\":\"abc\",\"n\":1}`\n}\n", dir, ports, nil)
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	document := strings.ReplaceAll(render(t, `Start it:
~~~console
$ go run ./cmd/caddy run --config Caddyfile
...
~~~
Then, in another terminal:
~~~console
$ TOKEN=$(curl -s {{url "web"}} | tr -dc 'a-c')
$ echo "got $TOKEN"
got abc
$ curl -si \
>   {{url "web"}}/x
HTTP/1.1 200 OK
...

{"token":"...","n":1}
$ go run ./cmd/caddy version
...v2...
~~~
`, dir, ports, nil), "~~~", "```")
	runStory(t, document, dir)
}

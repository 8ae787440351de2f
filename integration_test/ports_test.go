package integration_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"text/template"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// globals are the global options that every Caddyfile of a test wants: nothing
// listens beside the sites, nothing listens beyond loopback, a stop is quick,
// and the log is JSON on stderr.
const globals = `admin off
	persist_config off
	skip_install_trust
	default_bind 127.0.0.1
	grace_period 2s
	log {
		output stderr
		format json
	}`

// ports gives every name in a Caddyfile a port of its own and keeps it over
// reloads.
type ports map[string]int

// render fills in a Caddyfile. Besides the variables it offers
//
//	{{globals}}      options for the global block
//	{{port "web"}}   a free port, the same at each use of the name
//	{{addr "web"}}   127.0.0.1:<port>
//	{{url "web"}}    http://127.0.0.1:<port>
//	{{dir}}          the folder of the process, where Config.Files are
func render(t *testing.T, text, dir string, ports ports, vars map[string]any) string {
	t.Helper()
	port := func(name string) int {
		if _, ok := ports[name]; !ok {
			ports[name] = outside.FreePort(t)
		}
		return ports[name]
	}
	functions := template.FuncMap{
		"globals": func() string { return globals },
		"port":    port,
		"addr":    func(name string) string { return fmt.Sprintf("127.0.0.1:%d", port(name)) },
		"url":     func(name string) string { return fmt.Sprintf("http://127.0.0.1:%d", port(name)) },
		"dir":     func() string { return dir },
	}
	parsed, err := template.New("Caddyfile").Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		t.Fatalf("reading the template of the Caddyfile: %v", err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, vars); err != nil {
		t.Fatalf("filling in the Caddyfile: %v", err)
	}
	return out.String()
}

// portTaken recognizes the one reason to start again with other ports: a
// connection of another test rarely takes one before the process does.
func portTaken(log string) bool {
	return strings.Contains(log, "address already in use")
}

package main

import (
	"strings"
	"testing"

	"github.com/caddyserver/xcaddy"
)

// Each case is what somebody could type by mistake. The error has to name the
// line and the field, and has to say what was expected.
func TestCheckShapeErrors(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"empty file", ``, "line 1: expected JSON: unexpected EOF"},
		{"array at the top", `[]`, "line 1: expected an object, got an array"},
		{"cut short", "{\n\"cgo\": true", "expected JSON"},
		{"unknown field", "{\n\"caddy_versoin\": \"v2.11.9\"}", "line 2: caddy_versoin: unknown field; expected one of arch, arm, build_flags, caddy_version, cgo,"},
		{"unknown nested field", `{"plugins":[{"module_path":"a"},{"path":"b"}]}`, "plugins[1].path: unknown field; expected one of module_path, version"},
		{"the name of an embedded struct", `{"Compile":{}}`, "Compile: unknown field"},
		{"case matters", `{"Caddy_Version":"v2.11.9"}`, "Caddy_Version: unknown field"},
		{"twice", `{"cgo":true,"cgo":false}`, "cgo: given twice"},
		{"twice, nested", `{"plugins":[{"version":"a","version":"b"}]}`, "plugins[0].version: given twice"},
		{"string for array", `{"plugins":"a"}`, `plugins: expected an array, got the string "a"`},
		{"array for string", `{"caddy_version":[]}`, "caddy_version: expected a string, got an array"},
		{"string for bool", `{"cgo":"yes"}`, `cgo: expected true or false, got the string "yes"`},
		{"string for object", `{"replacements":["a"]}`, `replacements[0]: expected an object, got the string "a"`},
		{"null", `{"plugins":null}`, "plugins: expected an array, got null"},
		{"duration as words", `{"timeout_get":"5m"}`, "timeout_get: expected a whole number of nanoseconds"},
		{"half a nanosecond", `{"timeout_get":0.5}`, "timeout_get: expected a whole number of nanoseconds, got 0.5"},
		{"something after the end", "{}\n{}", "line 2: expected nothing after the end of the object"},
		{"rubbish after the end", "{} x", "expected nothing after the end of the object"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := checkShape([]byte(c.in), xcaddy.Builder{})
			if err == nil {
				t.Fatalf("got no error, want %q", c.want)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %q, want it to contain %q", err, c.want)
			}
		})
	}
}

func TestCheckShapeAcceptsEveryField(t *testing.T) {
	in := `{"os":"linux","arch":"arm","arm":"7","cgo":false,"caddy_version":"v2.11.9",
		"plugins":[{"module_path":"a","version":"v1.0.0"}],"replacements":[{"old":"a","new":"./a"}],
		"timeout_get":1,"timeout_build":2,"race_detector":false,"skip_cleanup":false,"skip_build":false,
		"debug":false,"build_flags":"","mod_flags":"","embed_dir":[{"dir":"d","name":"n"}]}` + "\n"
	if err := checkShape([]byte(in), xcaddy.Builder{}); err != nil {
		t.Errorf("got error %q, want none", err)
	}
}

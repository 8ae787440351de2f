package caddymodule

import (
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// What Caddy does with the text of a configuration (docs/floor.md).

func TestTrap09UnreadablePlaceholdersAreEmpty(t *testing.T) {
	w := newWorld(t)
	for _, placeholder := range []string{"{file." + w.path("absent") + "}", "{env.SCOPEGATE_ABSENT}"} {
		if got := caddy.NewReplacer().ReplaceAll(placeholder, "empty"); got != "empty" {
			t.Errorf("%s: Caddy's replacer says %q now", placeholder, got)
		}
		if _, err := (files{}).secret(placeholder, true); err == nil {
			t.Errorf("%s: got a secret, want an error", placeholder)
		}
	}
	if err := os.WriteFile(w.path("empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (files{}).secret("{file."+w.path("empty")+"}", true); err == nil {
		t.Error("an empty file: got a secret, want an error")
	}
	if got, err := expandText("https://{env.SCOPEGATE_ABSENT}auth.example.com"); err == nil {
		t.Errorf("got %q, want an error", got)
	}
}

func TestTrap10ShorthandsAreRewritten(t *testing.T) {
	for shorthand, want := range map[string]string{
		"{path}": "{http.request.uri.path}", "{host}": "{http.request.host}", "{uuid}": "{http.request.uuid}",
		"{query.a}": "{http.request.uri.query.a}", "{file.base}": "{http.request.uri.path.file.base}", "{env.X}": "{env.X}",
	} {
		out, err := adapt("http://localhost {\n\trespond " + shorthand + "\n}\n")
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: a site block says %s now, %v", shorthand, out, err)
		}
	}
}

func TestTrap34BlocksOfOneLine(t *testing.T) {
	const head, tail = "{\n\tscopegate {\n\t\tissuer https://auth.example.com\n\t\tstore ", "\n\t}\n}\n"
	if _, err := adapt(head + "bolt {\n\t\t\tpath x.db\n\t\t}" + tail); err != nil {
		t.Errorf("three lines: %v", err)
	}
	if out, err := adapt(head + "bolt { path x.db }" + tail); err == nil {
		t.Errorf("a block of one line is adapted now: %s", out)
	}
	if got := string(caddyfile.Format([]byte("a {\n\tGET    /orders   read\n}\n"))); got != "a {\n\tGET /orders read\n}\n" {
		t.Errorf("caddy fmt keeps columns now: %q", got)
	}
}

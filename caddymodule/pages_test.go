package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange"
)

// TestPagesAreReadOnce has a mistake in the pages while a configuration runs: what
// else has changed is put to work all the same, and the next load finds it.
func TestPagesAreReadOnce(t *testing.T) {
	dir := t.TempDir()
	app := &App{PagesDir: dir, Config: tokenexchange.Config{Issuer: "http://localhost:8080"}}
	if err := app.readPages(); err != nil {
		t.Fatal(err)
	}
	before := app.Pages
	if err := os.WriteFile(filepath.Join(dir, "styles.css"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := app.find(files{}); err != nil || app.Pages != before {
		t.Errorf("a look at the other files: got %v", err)
	}
	if err := app.readPages(); err == nil || !strings.Contains(err.Error(), "file styles.css: unrecognized") {
		t.Errorf("the next load: got %v", err)
	}
}

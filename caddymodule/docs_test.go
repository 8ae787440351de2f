package caddymodule

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocsAdapt adapts every Caddyfile of the pages that show the directives.
// Those without a global option get one.
func TestDocsAdapt(t *testing.T) {
	block := regexp.MustCompile("(?s)```caddyfile\n(.*?)```")
	n := 0
	for _, page := range []string{"../docs/guard.md", "../docs/stores.md", "../docs/pages.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range block.FindAllStringSubmatch(string(text), -1) {
			config := found[1]
			if !strings.HasPrefix(config, "{") {
				config = "{\n\tscopegate {\n\t\tissuer https://auth.example.com\n\t}\n}\n" + config
			}
			if _, err := adapt(config); err != nil {
				t.Errorf("%s: %v\n%s", page, err, found[1])
			}
			n++
		}
	}
	if n < 7 {
		t.Errorf("got %d Caddyfiles, want at least 7", n)
	}
}

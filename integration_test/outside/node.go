package outside

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Node returns the path of node, and logs its version and those of the packages
// of npm that are tested, which the folder has. What is missing fails.
func Node(t testing.TB, folder string, packages ...string) string {
	t.Helper()
	folder, _ = filepath.Abs(folder)
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is missing: install nodejs, 20 or later, and npm")
	}
	version, err := exec.Command(node, "--version").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range packages {
		text, err := os.ReadFile(filepath.Join(folder, "node_modules", name, "package.json"))
		if err != nil {
			t.Fatalf("%v; type: npm ci --prefix %s", err, folder)
		}
		var about struct{ Version string }
		if err := json.Unmarshal(text, &about); err != nil {
			t.Fatal(err)
		}
		t.Logf("client: npm %s %s, node %s", name, about.Version, strings.TrimSpace(string(version)))
	}
	return node
}

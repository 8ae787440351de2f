package caddymodule

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestAdapt holds what each directive and each word becomes, or the error that
// its writer reads.
func TestAdapt(t *testing.T) {
	run := func(t *testing.T, in string) string {
		out, err := adapt(in)
		if err != nil {
			text := "error: " + err.Error()
			checkPlace(t, text)
			return text
		}
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, out, "", " "); err != nil {
			t.Fatal(err)
		}
		return pretty.String()
	}
	good := runCases(t, "testdata/adapt/good_*.txt", func(t *testing.T, in string) string {
		out := run(t, in)
		if strings.HasPrefix(out, "error: ") {
			t.Errorf("refused: %s", out)
		}
		return out
	})
	wrong := runCases(t, "testdata/adapt/wrong_*.txt", func(t *testing.T, in string) string {
		out := run(t, in)
		if !strings.HasPrefix(out, "error: ") {
			t.Errorf("accepted: %s", out)
		}
		return out
	})
	if len(good) < 12 || len(wrong) < 40 {
		t.Errorf("got %d good and %d wrong cases, want at least 12 and 40", len(good), len(wrong))
	}
}

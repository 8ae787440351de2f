package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
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

// TestAdaptManyRules adapts a guard for a large API: each rule costs the same.
func TestAdaptManyRules(t *testing.T) {
	var rules strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&rules, "\t\tGET /a%d read a%d\n", i, i)
	}
	began := time.Now()
	out, err := adapt(strings.ReplaceAll(live("", rules.String()), "PORT", "8081"))
	if err != nil || !strings.Contains(string(out), "/a9999") {
		t.Fatalf("got %v, want a configuration", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
}

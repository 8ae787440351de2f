package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
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

// TestAdaptManyRules adapts a guard for a large API: each rule costs the same. What
// is compared is the time of the processor, which a busy machine does not change.
func TestAdaptManyRules(t *testing.T) {
	cost := func(n, tries int) (least time.Duration) {
		var rules strings.Builder
		for i := range n {
			fmt.Fprintf(&rules, "\t\tGET /a%d read a%d\n", i, i)
		}
		text := strings.ReplaceAll(live("", rules.String()), "PORT", "8081")
		for range tries {
			began := processorTime(t)
			out, err := adapt(text)
			took := processorTime(t) - began
			if err != nil || !strings.Contains(string(out), fmt.Sprint("/a", n-1)) {
				t.Fatalf("got %v, want a configuration", err)
			}
			if least == 0 || took < least {
				least = took
			}
		}
		return least
	}
	few, many := cost(1_000, 3), cost(10_000, 1)
	if many > 30*few {
		t.Errorf("1,000 rules took %v, and 10,000 took %v, want about ten times as much", few, many)
	}
}

// processorTime is what this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

package caddymodule

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// hours are a time of the tests.
func hours(h float64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(h * float64(time.Hour)))
}

// String is what a test wants of a plan: the ring, what is over, when keys that
// are made take over, and when to look again, in hours.
func (p plan) String() string {
	var words []string
	for _, k := range p.keep {
		words = append(words, fmt.Sprintf("%s:%g", k.id, k.life.Hours()))
	}
	for _, k := range p.over {
		words = append(words, "-"+k.id)
	}
	for _, from := range p.make {
		words = append(words, fmt.Sprintf("+%g", from.Sub(hours(0)).Hours()))
	}
	if p.late {
		words = append(words, "late")
	}
	return strings.Join(append(words, fmt.Sprintf("look %g", p.look.Sub(hours(0)).Hours())), " ")
}

func TestSchedule(t *testing.T) {
	// A key signs for 100 hours, and is published for 25 before.
	terms := terms{interval: 100 * time.Hour, lead: 25 * time.Hour, slack: time.Hour, look: 10 * time.Hour}
	key := func(id string, from, life float64) scheduled {
		return scheduled{id, hours(from), time.Duration(life * float64(time.Hour))}
	}
	a, b, c := key("a", 0, 20), key("b", 100, 20), key("c", 200, 20)
	for _, tc := range []struct {
		name string
		keys []scheduled
		now  float64
		life float64
		want string
	}{
		{"nothing is there", nil, 7, 20, "+7 look 17"},
		{"one key", []scheduled{a}, 1, 20, "a:20 look 11"},
		{"soon the next one has to be made", []scheduled{a}, 70, 20, "a:20 look 75"},
		{"the next one has to be made", []scheduled{a}, 75, 20, "a:20 +100 look 85"},
		{"it is made late", []scheduled{a}, 90, 20, "a:20 +115 look 100"},
		{"months later", []scheduled{a}, 3000, 20, "a:20 +3025 look 3010"},
		{"the next one waits", []scheduled{b, a}, 95, 20, "a:20 b:20 look 100"},
		{"it takes over", []scheduled{a, b}, 100, 20, "b:20 a:20 look 110"},
		{"and the other one stays", []scheduled{a, b}, 120.9, 20, "b:20 a:20 look 121"},
		{"for the life of what it signed, and the slack", []scheduled{a, b}, 121, 20, "b:20 -a look 131"},
		{"it took over while nobody was here", []scheduled{a, b}, 3000, 20, "b:20 -a +3025 look 3010"},
		{"several are over", []scheduled{a, b, c}, 230, 20, "c:20 -a -b look 240"},
		{"three are needed", []scheduled{key("a", 0, 500), key("b", 100, 500), c}, 230, 20, "c:20 a:500 b:500 look 240"},
		{"a longer life", []scheduled{a, b}, 90, 30, "a:30 b:30 late look 100"},
		{"a longer life is not that of what is retired", []scheduled{a, b}, 101, 30, "b:30 a:20 late look 111"},
		{"but of what another process may still sign with", []scheduled{a, b}, 100.5, 30, "b:30 a:30 late look 110.5"},
		{"a shorter life does not shorten", []scheduled{a, b}, 110, 1, "b:20 a:20 look 120"},
		{"the clock is behind the one that made the first key", []scheduled{a}, -1, 20, "a:20 look 0"},
		{"the clock is years behind", []scheduled{a, b}, -50000, 20, "a:20 b:20 look -49990"},
		{"a key of a clock that was years ahead", []scheduled{a, key("z", 50000, 20)}, 80, 20, "a:20 z:20 +105 look 90"},
		{"which has nothing to say", []scheduled{a, b, key("z", 50000, 20)}, 121, 20, "b:20 z:20 -a look 131"},
		{"two that two processes made at once", []scheduled{a, key("y", 100, 20), key("x", 100, 20)}, 100, 20, "y:20 a:20 x:20 look 110"},
	} {
		keys := slices.Clone(tc.keys)
		if got := terms.plan(keys, hours(tc.now), time.Duration(tc.life*float64(time.Hour))).String(); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
		if !slices.Equal(keys, tc.keys) {
			t.Errorf("%s: the keys that were given changed", tc.name)
		}
	}
	// A line that turns faster than its lead has several keys ahead.
	terms.interval = 10 * time.Hour
	if got, want := terms.plan([]scheduled{a}, hours(90), 20*time.Hour).String(), "a:20 +115 look 100"; got != want {
		t.Errorf("fast, late: got %s, want %s", got, want)
	}
	if got, want := terms.plan([]scheduled{a}, hours(0), 20*time.Hour).String(), "a:20 +25 look 10"; got != want {
		t.Errorf("fast, the first: got %s, want %s", got, want)
	}
	if got, want := terms.plan([]scheduled{a, key("b", 25, 20)}, hours(30), 20*time.Hour).String(), "b:20 a:20 +55 look 40"; got != want {
		t.Errorf("fast, the second: got %s, want %s", got, want)
	}
}

// The lead is a day for those who keep a key set, and what it takes until the last
// process publishes the key.
func TestTermsLeaveADay(t *testing.T) {
	const clocks = time.Minute // thirty seconds ahead, and thirty behind
	if got := keyTerms.lead - keyTerms.look - keysTimeout - clocks; got < 24*time.Hour {
		t.Errorf("a key set may be kept for %v, want a day", got)
	}
	if keyTerms.interval <= 2*keyTerms.lead || keyTerms.slack < 2*clocks {
		t.Errorf("got %+v, want an interval that is much longer than the lead, and a slack beyond what clocks differ by", keyTerms)
	}
}

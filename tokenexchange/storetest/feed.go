package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
)

// prompt bounds what a follower waits for an entry, on a slow and busy machine.
const prompt = time.Minute

// RunFeed runs the suite of tokenexchange.Feed as subtests. What the harness
// opens must be a Feed.
func RunFeed(t *testing.T, h Harness) {
	t.Helper()
	cases := []testCase{
		{"order and positions", testFeedOrder},
		{"bytes", testFeedBytes},
		{"live", testFeedLive},
		{"race", testFeedRace},
		{"until", testFeedUntil},
		{"gap", testFeedGap},
		{"gap under a slow follower", testFeedSlow},
		{"contexts", testFeedContexts},
		{"away", testFeedAway},
	}
	if h.Reopen != nil {
		cases = append(cases, testCase{"crash", testFeedCrash})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t, h)) })
	}
}

func (f *fixture) feed() tokenexchange.Feed { return f.store.(tokenexchange.Feed) }

func (f *fixture) publish(entry string, until time.Time) {
	f.Helper()
	if err := f.feed().Publish(f.Context(), []byte(entry), until); err != nil {
		f.Fatalf("Publish(%.40q): got %v, want no error", entry, err)
	}
}

// followed is what one follower was given.
type followed struct {
	positions, entries []string
}

// follow follows until the entry last came, and checks that Follow then ends by
// its context.
func (f *fixture) follow(from, last string) (got followed) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), prompt)
	defer cancel()
	err := f.feed().Follow(ctx, from, func(position string, entry []byte) {
		if ctx.Err() != nil {
			return
		}
		got.positions = append(got.positions, position)
		got.entries = append(got.entries, string(entry))
		if string(entry) == last {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		f.Fatalf("Follow(%q): got %v after %.80q, want %q and the context's end", from, err, got.entries, last)
	}
	return got
}

// gapAt checks that a position is refused, and nothing handed out.
func (f *fixture) gapAt(from string) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), prompt)
	defer cancel()
	err := f.feed().Follow(ctx, from, func(_ string, entry []byte) {
		f.Errorf("Follow(%.80q): got the entry %.40q, want none", from, entry)
		cancel()
	})
	if !errors.Is(err, tokenexchange.ErrFeedGap) {
		f.Errorf("Follow(%.80q): got %v, want ErrFeedGap", from, err)
	}
}

func testFeedOrder(_ *testing.T, f *fixture) {
	var want []string
	for i := range 600 { // More than a store reads at once.
		want = append(want, fmt.Sprint("entry ", i))
		f.publish(want[i], f.in(time.Hour))
	}
	last := want[len(want)-1]
	all := f.follow("", last)
	if !slices.Equal(all.entries, want) {
		f.Fatalf("Follow(\"\"): got %d entries %.200q, want all %d in order", len(all.entries), all.entries, len(want))
	}
	seen := map[string]bool{"": true}
	for _, p := range all.positions {
		if seen[p] {
			f.Errorf("position %q: got it twice or empty", p)
		}
		seen[p] = true
	}
	for _, i := range []int{0, 1, 255, 256, 598} {
		rest := f.follow(all.positions[i], last)
		if !slices.Equal(rest.entries, want[i+1:]) || !slices.Equal(rest.positions, all.positions[i+1:]) {
			f.Errorf("Follow from entry %d: got %.80q, want the rest at the same positions", i, rest.entries)
		}
	}
}

func testFeedBytes(_ *testing.T, f *fixture) {
	var all strings.Builder
	for i := range 256 {
		all.WriteByte(byte(i))
	}
	want := []string{"", "\x00", "\r\n", all.String(), strings.Repeat(all.String(), 64<<10/256), "same", "same", "end"}
	for _, entry := range want {
		given := []byte(entry)
		if err := f.feed().Publish(f.Context(), given, f.in(time.Hour)); err != nil {
			f.Fatalf("Publish(%.40q): got %v, want no error", entry, err)
		}
		clear(given) // Publish has answered: the bytes are the caller's own again.
	}
	for range 2 { // A follower may change what it got.
		var got []string
		ctx, cancel := context.WithTimeout(f.Context(), prompt)
		_ = f.feed().Follow(ctx, "", func(_ string, entry []byte) {
			if got = append(got, string(entry)); string(entry) == "end" {
				cancel()
			}
			clear(entry)
			_ = append(entry, "overrun"...)
		})
		cancel()
		if !slices.Equal(got, want) {
			f.Errorf("Follow: got %.200q, want %.200q", got, want)
		}
	}
}

// follower runs one Follow until the test ends.
type follower struct {
	got   chan string
	ended chan error
}

func (f *fixture) start(ctx context.Context, from string) follower {
	w := follower{got: make(chan string, 4096), ended: make(chan error, 1)}
	go func() {
		w.ended <- f.feed().Follow(ctx, from, func(_ string, entry []byte) { w.got <- string(entry) })
	}()
	return w
}

func (w follower) wants(f *fixture, want string) {
	f.Helper()
	select {
	case got := <-w.got:
		if got != want {
			f.Errorf("got the entry %q, want %q", got, want)
		}
	case err := <-w.ended:
		f.Fatalf("Follow ended with %v, want the entry %q", err, want)
	case <-time.After(prompt):
		f.Fatalf("no entry in %s, want %q", prompt, want)
	}
}

func (w follower) ends(f *fixture, want error) {
	f.Helper()
	select {
	case err := <-w.ended:
		if !errors.Is(err, want) {
			f.Errorf("Follow ended with %v, want %v", err, want)
		}
	case <-time.After(prompt):
		f.Fatalf("Follow did not end in %s, want %v", prompt, want)
	}
}

func testFeedLive(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	var followers []follower
	for range 4 { // They begin before there is anything.
		followers = append(followers, f.start(ctx, ""))
	}
	slowest := time.Duration(0)
	for i := range 20 {
		entry := fmt.Sprint("entry ", i)
		begun := time.Now()
		f.publish(entry, f.in(time.Hour))
		for _, w := range followers {
			w.wants(f, entry)
		}
		slowest = max(slowest, time.Since(begun))
		if i == 10 { // Idle for longer than a store waits at once.
			time.Sleep(300 * time.Millisecond)
		}
	}
	t.Logf("slowest of 20 entries to 4 followers: %s", slowest)
	cancel()
	for _, w := range followers {
		w.ends(f, context.Canceled)
		if len(w.got) > 0 {
			t.Errorf("got another entry %q, want each once", <-w.got)
		}
	}
}

// testFeedRace publishes from many sides: every follower gets everything, in
// one order, that of each publisher kept.
func testFeedRace(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	live := f.start(ctx, "")
	race(func(i int) {
		for n := range 4 {
			if err := f.feed().Publish(t.Context(), fmt.Appendf(nil, "%d %d", i, n), f.in(time.Hour)); err != nil {
				t.Errorf("publisher %d: got %v, want no error", i, err)
			}
		}
	})
	f.publish("end", f.in(time.Hour))
	all := f.follow("", "end").entries
	if len(all) != 4*racers+1 {
		t.Errorf("got %d entries, want %d", len(all), 4*racers+1)
	}
	next := map[int]int{}
	for _, entry := range all[:len(all)-1] {
		var i, n int
		if _, err := fmt.Sscanf(entry, "%d %d", &i, &n); err != nil || n != next[i] {
			t.Errorf("publisher %d: got entry %q, want its entry %d", i, entry, next[i])
		}
		next[i]++
	}
	for _, entry := range all {
		live.wants(f, entry)
	}
	cancel()
	live.ends(f, context.Canceled)
}

func testFeedUntil(t *testing.T, f *fixture) {
	for name, until := range map[string]time.Time{"zero": {}, "now": f.now(), "past": f.in(-time.Millisecond)} {
		if err := f.feed().Publish(t.Context(), []byte("past"), until); !errors.Is(err, tokenexchange.ErrPastExpiry) {
			t.Errorf("Publish, until %s: got %v, want ErrPastExpiry", name, err)
		}
	}
	kept := func(end string, want ...string) {
		t.Helper()
		f.publish(end, f.in(time.Millisecond))
		if got := f.follow("", end).entries; !slices.Equal(got[:len(got)-1], want) {
			t.Errorf("got %.300q, want %.300q", got[:len(got)-1], want)
		}
	}
	f.publish("short", f.in(time.Minute))
	f.publish("long", f.in(time.Hour))
	f.publish("behind", f.in(time.Minute))
	f.pass(time.Minute + tokenexchange.CollectAfter - time.Millisecond)
	kept("end 1", "short", "long", "behind")
	f.pass(time.Millisecond)
	kept("end 2", "long", "behind", "end 1") // What has a longer one before it stays.
	f.pass(time.Hour)

	// Many dead entries leave with fewer new ones.
	for i := range 200 {
		f.publish(fmt.Sprint("dead ", i), f.in(time.Minute))
	}
	f.pass(time.Minute + tokenexchange.CollectAfter)
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprint("alive ", i))
		f.publish(want[i], f.in(time.Hour))
	}
	kept("end 3", want...)
}

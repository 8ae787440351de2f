package redisstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

// followsTo follows until the entry last, and gives its position.
func followsTo(t *testing.T, s *Store, from, last string) (position string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), enough)
	defer cancel()
	err := s.Follow(ctx, from, func(at string, entry []byte) {
		if string(entry) == last {
			position = at
			cancel()
		}
	})
	if position == "" {
		t.Fatalf("Follow(%q): got %v, want the entry %q", from, err, last)
	}
	return position
}

func publish(t *testing.T, s *Store, entries ...string) {
	t.Helper()
	for _, entry := range entries {
		if err := s.Publish(t.Context(), []byte(entry), later()); err != nil {
			t.Fatalf("Publish(%q): got %v, want no error", entry, err)
		}
	}
}

// TestFeedLost takes the Stream, or its newest part, away under a follower that
// waits and under one that comes back: both are told of the gap, with and
// without new entries.
func TestFeedLost(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	// It notices long before its timeout.
	s := openTest(t, Options{Addresses: []string{r.Addr()}, Timeout: time.Hour})
	key := s.feedKey()
	for name, c := range map[string]struct {
		lose func(newest string)
		then []string
	}{
		"flushed":                  {func(string) { r.Do("FLUSHALL") }, nil},
		"flushed, new entries":     {func(string) { r.Do("FLUSHALL") }, []string{"new"}},
		"deleted, new entries":     {func(string) { r.Do("DEL " + key) }, []string{"new", "newer"}},
		"newest lost":              {func(id string) { r.Do("XDEL " + key + " " + id) }, nil},
		"newest lost, new entries": {func(id string) { r.Do("XDEL " + key + " " + id) }, []string{"new", "newer"}},
		"trimmed by another":       {func(string) { r.Do("XTRIM " + key + " MAXLEN 0") }, []string{"new"}},
	} {
		t.Run(name, func(t *testing.T) {
			publish(t, s, "one", "two", "three")
			at := followsTo(t, s, "", "three")
			seen, ended := make(chan string, 100), make(chan error, 1)
			ctx, cancel := context.WithTimeout(t.Context(), enough)
			defer cancel()
			go func() {
				ended <- s.Follow(ctx, "", func(_ string, entry []byte) { seen <- string(entry) })
			}()
			for <-seen != "three" {
				continue
			}
			c.lose(at[:len(at)-17])
			publish(t, s, c.then...)
			if err := <-ended; !errors.Is(err, tokenexchange.ErrFeedGap) || len(seen) > 0 {
				t.Errorf("a follower that waits: got %v and %d entries, want ErrFeedGap alone", err, len(seen))
			}
			err := s.Follow(ctx, at, func(_ string, entry []byte) { t.Errorf("got %q, want no entry", entry) })
			if !errors.Is(err, tokenexchange.ErrFeedGap) {
				t.Errorf("a follower that comes back: got %v, want ErrFeedGap", err)
			}
			if len(c.then) > 0 {
				followsTo(t, s, "", c.then[len(c.then)-1])
			}
			r.Do("FLUSHALL")
		})
	}
}

// TestFeedClocks has clocks that are off, of a publisher and of the server: what
// others published leaves only when its time is over by both.
func TestFeedClocks(t *testing.T) {
	for name, c := range map[string]struct {
		publisher, server time.Duration
		gone              bool
	}{
		"right":            {0, 0, false},
		"publisher ahead":  {time.Hour, 0, false},
		"publisher behind": {-time.Hour, 0, false},
		"server ahead":     {0, time.Hour, false},
		"server behind":    {time.Hour, -time.Hour, false},
		"over, not yet":    {6*time.Minute - ceiling, time.Hour, false},
		"over by both":     {6 * time.Minute, 6*time.Minute + ceiling, true},
	} {
		m := miniredis.RunT(t)
		now := time.Now()
		open := func(off time.Duration) *Store {
			return openTest(t, Options{Addresses: []string{m.Addr()}, Now: func() time.Time { return now.Add(off) }})
		}
		s, other := open(0), open(c.publisher)
		m.SetTime(now)
		for _, entry := range []string{"revoked 1", "revoked 2"} {
			if err := s.Publish(t.Context(), []byte(entry), now.Add(5*time.Minute)); err != nil {
				t.Fatal(err)
			}
		}
		m.SetTime(now.Add(c.server))
		if err := other.Publish(t.Context(), []byte("last"), now.Add(9*time.Hour)); err != nil {
			t.Fatal(err)
		}
		var got []string
		ctx, cancel := context.WithTimeout(t.Context(), enough)
		err := s.Follow(ctx, "", func(_ string, entry []byte) {
			if got = append(got, string(entry)); string(entry) == "last" {
				cancel()
			}
		})
		cancel()
		want := "[revoked 1 revoked 2 last]"
		if c.gone {
			want = "[last]"
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s: got %v, %v; want %s", name, got, err, want)
		}
	}
}

// TestFeedOtherHand has entries that this store did not write, at the beginning,
// in the middle and at the end. Each is handed on empty, and the feed goes on; to
// delete them by hand leaves no gap.
func TestFeedOtherHand(t *testing.T) {
	r := redistest.Start(t)
	s := openTest(t, Options{Addresses: []string{r.Addr()}})
	strange := []string{"strange entry", "mark x", "until 1 mark x before y", "a b mark x c d entry z"}
	var ids, positions, got []string
	for i, fields := range strange {
		ids = append(ids, r.Text("XADD "+s.feedKey()+" * "+fields))
		publish(t, s, fmt.Sprint(i))
	}
	reads := func(from string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), enough)
		defer cancel()
		positions, got = nil, nil
		err := s.Follow(ctx, from, func(position string, entry []byte) {
			positions, got = append(positions, position), append(got, string(entry))
			if string(entry) == fmt.Sprint(len(strange)-1) {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Follow(%q): got %v, want no fault and no gap", from, err)
		}
	}
	reads("")
	if fmt.Sprintf("%q", got) != `["" "0" "" "1" "" "2" "" "3"]` {
		t.Errorf("got %q, want each entry, and an empty one for each that is not ours", got)
	}
	all := positions
	for i := range len(all) - 1 {
		if reads(all[i]); len(got) != len(all)-1-i {
			t.Errorf("from %q: got %q, want the %d that came after it", all[i], got, len(all)-1-i)
		}
	}
	for _, id := range ids {
		r.Do("XDEL " + s.feedKey() + " " + id)
	}
	if reads(""); fmt.Sprint(got) != "[0 1 2 3]" {
		t.Errorf("got %q after they were deleted, want ours", got)
	}
	if reads(all[2]); fmt.Sprint(got) != "[1 2 3]" {
		t.Errorf("got %q after an entry that was deleted, want ours", got)
	}
}

// TestFeedOfStrangers has nothing but entries of another hand: one that waits
// behind them gets what comes.
func TestFeedOfStrangers(t *testing.T) {
	r := redistest.Start(t)
	s := openTest(t, Options{Addresses: []string{r.Addr()}})
	for range 3 {
		r.Do("XADD " + s.feedKey() + " * strange entry")
	}
	ctx, cancel := context.WithTimeout(t.Context(), enough)
	defer cancel()
	n, published := 0, make(chan error, 1)
	err := s.Follow(ctx, "", func(_ string, entry []byte) {
		if n++; n == 3 {
			go func() { published <- s.Publish(ctx, []byte("ours"), later()) }()
		}
		if string(entry) == "ours" {
			cancel()
		}
	})
	if n != 4 || !errors.Is(err, context.Canceled) {
		t.Errorf("got %d entries and %v, want three that are empty, and ours", n, err)
	}
	if err := <-published; err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("Publish: got %v", err)
	}
	r.Do("DEL " + s.feedKey())
	r.Do("SET " + s.feedKey() + " string")
	if err := s.Publish(t.Context(), nil, later()); err == nil {
		t.Error("Publish over another kind of key: got no error, want a fault")
	}
	if err := s.Follow(t.Context(), "", func(string, []byte) {}); err == nil || errors.Is(err, tokenexchange.ErrFeedGap) {
		t.Errorf("Follow another kind of key: got %v, want a fault", err)
	}
}

func BenchmarkFeedDelay(b *testing.B) {
	s := openTest(b, Options{Addresses: []string{redistest.Start(b).Addr()}})
	arrived := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	go func() { ended <- s.Follow(ctx, "", func(string, []byte) { arrived <- struct{}{} }) }()
	for b.Loop() {
		if err := s.Publish(b.Context(), []byte("entry"), later()); err != nil {
			b.Fatal(err)
		}
		<-arrived
	}
	cancel()
	<-ended
}

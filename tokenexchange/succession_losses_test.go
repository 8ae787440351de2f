package tokenexchange

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestOldServersHoldUpTheLastToken changes a configuration twice while a request is
// under way at the first server: it may still sign what the second change took away,
// so the last token is not signed before that request has ended.
func TestOldServersHoldUpTheLastToken(t *testing.T) {
	h := newHouse(t)
	one := h.Server
	two, three := h.reload(h.caches), h.reload(h.caches)
	c := &call{server: one}
	entered := c.enter()
	first := one.GiveWay(two)
	second := two.GiveWay(three)
	if closed(first) || closed(second) {
		t.Error("a request of the first server may still sign, and somebody was told that it cannot")
	}
	entered.leave()
	if !closed(first) || !closed(second) {
		t.Error("all requests ended, and somebody still waits")
	}
	late := &call{server: one}
	if late.enter() != three {
		t.Error("a request that comes later is not for the server in force")
	}
	three.leave()
}

// TestOneStrangeLossHidesNoOther takes something away from several users, one of
// whom has an entry that no revocation can name, or of a time that is none: the
// others end all the same.
func TestOneStrangeLossHidesNoOther(t *testing.T) {
	for name, strange := range map[string]struct{ old, new string }{
		"the first of all times": {`{"id":"two","username"`, `{"tokens_not_before":"0001-01-01T00:00:00Z","id":"two","username"`},
		"a long domain":          {`{"id":"two"`, `{"id":"long","username":"long","domain":"` + strings.Repeat("d", 1100) + `","memberships":[]},{"id":"two"`},
	} {
		t.Run(name, func(t *testing.T) {
			both := strings.Replace(baseUsers, strange.old, strange.new, 1)
			if both == baseUsers {
				t.Fatal("the users file has changed")
			}
			before, after := baseUsers, strings.Replace(both, `{"id":"kim"`, `{"disabled":true,"id":"kim"`, 1)
			if strings.Contains(strange.new, "long") { // Such a user goes.
				before, after = both, strings.Replace(baseUsers, `{"id":"kim"`, `{"disabled":true,"id":"kim"`, 1)
			}
			realm := func(users string) (*Realm, error) {
				return CompileFrom(baseConfig(), []string{"users.json"}, func(string) ([]byte, error) { return []byte(users), nil })
			}
			was, err := realm(before)
			if err != nil {
				return // It is refused where it is read.
			}
			v := NewRevocations(nil)
			now := time.Now()
			_ = v.RevokeLater(Lost(was, must(realm(after)), now.Add(time.Second), now)...)
			if v.rightsOrLoginEnded("example.com:kim") == "" {
				t.Error("kim was disabled, and his tokens live")
			}
		})
	}
}

func (v *Revocations) rightsOrLoginEnded(subject string) string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.holds(ofSubjects, subject, 0) {
		return "ended"
	}
	return ""
}

// TestManyLossesArePublished takes rights away from more users at once than may wait
// for a store that is away: all of it is published, since the store is there.
func TestManyLossesArePublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemoryStore(nil)
		one := newReplica(t, store, 1)
		now := time.Now()
		many := make([]Revocation, maxOutbox+100)
		for i := range many {
			many[i] = RevokeSubjectRights(fmt.Sprintf("example.com:%d", i), now, now.Add(time.Hour))
		}
		if err := one.RevokeLater(many...); err != nil {
			t.Fatal(err)
		}
		for one.Unpublished() > 0 {
			time.Sleep(lastOutboxPause)
		}
		// A process that starts now learns of all of them.
		two := newReplica(t, store, 1)
		time.Sleep(time.Second)
		if got := two.Len(); got != len(many) {
			t.Errorf("a process that starts later knows %d revocations, want %d", got, len(many))
		}
	})
}

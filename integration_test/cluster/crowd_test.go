package cluster

import (
	"testing"
	"time"
)

const (
	each     = 3 // families that lose something in each way
	kept     = 3 // families that lose nothing
	keptUser = "kept"
)

// crowd are families in a house, of whom most will lose something.
type crowd struct {
	*house
	t    *testing.T
	gone []lost
	kept []*family
}

// lost is a family and what it loses.
type lost struct {
	loss
	*family
}

// addCrowd names the users of a crowd and of a load.
func (u *usersFile) addCrowd() {
	u.t.Helper()
	for i := range losses {
		for n := range each {
			u.user(victim(i, n))
		}
	}
	u.add(loadUser, keptUser)
}

// newCrowd logs everybody in, and uses everything at all servers once.
func newCrowd(t *testing.T, h *house, which func(loss) bool) *crowd {
	t.Helper()
	c := &crowd{house: h, t: t}
	for n := range each {
		for i, l := range losses {
			if which(l) {
				c.gone = append(c.gone, lost{l, c.family(l, victim(i, n))})
			}
		}
	}
	for range kept {
		c.kept = append(c.kept, c.family(loss{}, keptUser))
	}
	return c
}

func (c *crowd) family(l loss, user string) *family {
	c.t.Helper()
	f, err := l.newVictim(c.house, user)
	if err != nil {
		c.t.Fatalf("%s: %v", l.name, err)
	}
	for _, s := range c.servers {
		c.wants(s, "before", accepted, f.all()...)
	}
	return f
}

// wants holds what a server says against what it has to say.
func (c *crowd) wants(s *server, when string, want verdict, questions ...question) {
	c.t.Helper()
	for _, q := range questions {
		if v, got := q.ask(s); v != want {
			c.t.Errorf("%s: %s at server %s: %s: got %s, want it %s", when, q.name, s.name, v, got, want)
		}
	}
}

// assert asks for everything at all servers: what was lost and what was not.
func (c *crowd) assert(when string) {
	c.t.Helper()
	for _, s := range c.servers {
		for _, g := range c.gone {
			c.wants(s, when+", "+g.name, refused, g.dead(g.family)...)
			for _, q := range g.lives(g.family) {
				untilAccepted(c.t, when+", "+g.name, q, s)
			}
		}
		for _, f := range c.kept {
			c.wants(s, when, accepted, f.all()...)
		}
	}
}

// lose has everybody lose something, at one server and the other in turn. It
// returns at the last answer that says so. Of a change of the users file nobody
// is told, so these come first, and have a moment to be published.
func (c *crowd) lose() {
	c.t.Helper()
	begun := time.Now()
	for _, g := range c.gone {
		if g.inFile {
			g.revoke(c.house, nil, g.family)
		}
	}
	for _, g := range c.gone {
		if g.inFile {
			for _, s := range c.servers {
				for _, q := range g.dead(g.family) {
					until(c.t, g.name, q, s, begun)
				}
			}
		}
	}
	time.Sleep(300 * time.Millisecond)
	for i, g := range c.gone {
		if !g.inFile {
			if got := g.revoke(c.house, c.servers[i%len(c.servers)], g.family); !g.told(got) {
				c.t.Errorf("%s: got %s", g.name, got)
			}
		}
	}
}

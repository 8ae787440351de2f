package tokenexchange

import (
	"slices"
	"time"
)

// join adds what is in other lists of the same person.
func (h *holdings) join(other holdings) {
	for _, s := range other.Sessions {
		if !slices.ContainsFunc(h.Sessions, func(l heldSession) bool { return l.ID == s.ID }) {
			h.Sessions = append(h.Sessions, s)
		}
	}
	for _, g := range other.Grants {
		if !slices.ContainsFunc(h.Grants, func(l heldGrant) bool { return l.ID == g.ID }) {
			h.Grants = append(h.Grants, g)
		}
	}
	for _, a := range other.Allowed {
		if !slices.ContainsFunc(h.Allowed, a.is) {
			h.Allowed = append(h.Allowed, a)
		}
	}
	slices.SortStableFunc(h.Sessions, func(a, b heldSession) int { return a.Since.Compare(b.Since) })
	slices.SortStableFunc(h.Grants, func(a, b heldGrant) int { return a.Since.Compare(b.Since) })
	slices.SortStableFunc(h.Allowed, func(a, b allowed) int { return a.Since.Compare(b.Since) })
}

// drop forgets what is over.
func (h *holdings) drop(now time.Time) {
	h.Sessions = slices.DeleteFunc(h.Sessions, func(s heldSession) bool { return !now.Before(s.End) })
	h.Grants = slices.DeleteFunc(h.Grants, func(g heldGrant) bool { return !now.Before(g.End) })
	h.Allowed = slices.DeleteFunc(h.Allowed, func(a allowed) bool { return !now.Before(a.End) })
}

// over is when the last of it is over, zero if nothing is left.
func (h *holdings) over() (end time.Time) {
	for _, s := range h.Sessions {
		end = latest(end, s.End)
	}
	for _, g := range h.Grants {
		end = latest(end, g.End)
	}
	for _, a := range h.Allowed {
		end = latest(end, a.End)
	}
	return end
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// surplus is what is too much of a list, the oldest first. It stays there until it
// has ended: what is in no list could not be ended any more.
func surplus[E any](list []E) []E { return slices.Clone(list[:max(len(list)-maxListed, 0)]) }

// login lists a session, in the place of the one that had its login before, and
// returns what is too much then.
func (h *holdings) login(l heldSession) []heldSession {
	h.Sessions = slices.DeleteFunc(h.Sessions, func(s heldSession) bool { return s.SID == l.SID })
	h.Sessions = append(h.Sessions, l)
	return surplus(h.Sessions)
}

// without takes a session out. What came of its login goes on.
func (h *holdings) without(id string) {
	h.Sessions = slices.DeleteFunc(h.Sessions, func(s heldSession) bool { return s.ID == id })
}

// leave takes a session out, with what ended with its login.
func (h *holdings) leave(l heldSession) {
	h.without(l.ID)
	h.Grants = slices.DeleteFunc(h.Grants, func(g heldGrant) bool { return g.Session == l.SID })
}

// grant lists a grant, and returns what is too much then: the oldest of the client
// that has the most. Whoever has a browser open one login after the other takes no
// place of another client.
func (h *holdings) grant(g heldGrant) (fell []heldGrant) {
	h.end([]heldGrant{g})
	h.Grants = append(h.Grants, g)
	rest := slices.Clone(h.Grants)
	for len(rest) > maxListed {
		has := map[string]int{}
		for _, l := range rest {
			has[l.Client]++
		}
		oldest := slices.IndexFunc(rest, func(l heldGrant) bool {
			return !slices.ContainsFunc(rest, func(o heldGrant) bool { return has[o.Client] > has[l.Client] })
		})
		fell = append(fell, rest[oldest])
		rest = slices.Delete(rest, oldest, oldest+1)
	}
	return fell
}

// end takes grants out.
func (h *holdings) end(grants []heldGrant) {
	h.Grants = slices.DeleteFunc(h.Grants, func(g heldGrant) bool {
		return slices.ContainsFunc(grants, func(ended heldGrant) bool { return ended.ID == g.ID })
	})
}

// of are the grants that came of what was agreed to.
func (h *holdings) of(a allowed) (grants []heldGrant) {
	for _, g := range h.Grants {
		if a.Client == g.Client && a.Org == g.Org {
			grants = append(grants, g)
		}
	}
	return grants
}

// is tells whether two are for the same client and organization.
func (a allowed) is(b allowed) bool { return a.Client == b.Client && a.Org == b.Org }

// allow lists a client as agreed to, once, and returns what is too much then: a
// consent is remembered no longer than it can be seen.
func (h *holdings) allow(a allowed) []allowed {
	for i := range h.Allowed {
		if h.Allowed[i].is(a) {
			h.Allowed[i].End = latest(a.End, h.Allowed[i].End)
			return nil
		}
	}
	h.Allowed = append(h.Allowed, a)
	return surplus(h.Allowed)
}

// forget takes out what was agreed to.
func (h *holdings) forget(a allowed) { h.Allowed = slices.DeleteFunc(h.Allowed, a.is) }

package scopes

import "slices"

// maxMissing bounds what Missing returns.
const maxMissing = 10

// Need is one right that a request needs. See docs/scopes.md, section 3.5.
type Need struct {
	Service    string `json:"service"`
	Permission string `json:"permission"`
	Resource   string `json:"resource"`
}

// Missing returns the rights that the request needs and the set does not hold,
// of a list only those for items that are refused, at most 10. It is nil when
// the request is allowed, and when no right would help.
func (d Decision) Missing() []Need {
	switch d.reason {
	case ReasonNoResourceScope, ReasonServiceMissing, ReasonPermissionMissing, ReasonResourceMissing:
	default:
		return nil
	}
	var list []Need
	d.eachItem(func() {
		reason := d.item()
		for i := range d.match.rule.needs {
			n := &d.match.rule.needs[i]
			if reason == ReasonAllowed || len(list) == maxMissing || d.check(n) == ReasonAllowed {
				continue
			}
			if right := (Need{n.service, n.permission, n.resource.pattern(&d.values).text}); !slices.Contains(list, right) {
				list = append(list, right)
			}
		}
	})
	return list
}

// AnyOf says whether Missing lists alternatives, of which one is enough; of a
// list, one for each item.
func (d Decision) AnyOf() bool { return d.match.rule != nil && d.match.rule.anyOf }

// Narrow returns the part of the derived set that this one request needs: what
// the rule asks for of the guard's own service, with the values of the request.
// Of an any_of these are the alternatives that are met, of a list the needs of
// all items. A rule without a permission needs nothing, and a decision that does
// not allow gives the empty set. The error is a [*LimitError]: more than 256
// different needs are not even put together. See docs/scopes.md, section 3.6.
func (d Decision) Narrow() (Set, error) {
	if d.reason != ReasonAllowed || d.match.Access() != AccessPermission {
		return Set{}, nil
	}
	var entries []Entry
	seen := make(map[Need]bool)
	d.eachItem(func() {
		for i := range d.match.rule.needs {
			n := &d.match.rule.needs[i]
			if n.foreign || len(entries) > maxEntries || d.check(n) != ReasonAllowed {
				continue
			}
			p := n.resource.pattern(&d.values)
			if right := (Need{n.service, n.permission, p.text}); !seen[right] {
				seen[right] = true
				entries = append(entries, Entry{n.service, n.permission, p})
			}
		}
	})
	if len(entries) > maxEntries {
		return Set{}, &LimitError{Limit: "entries", Max: maxEntries, Used: len(entries)}
	}
	return setOf(entries)
}

// eachItem calls f with the values of each item, or once where there is no list.
func (d *Decision) eachItem(f func()) {
	for items, more := d.values.list, true; more; {
		items, more = d.match.rule.each.take(items, &d.values)
		f()
	}
}

// pattern writes the pattern that a template stands for.
func (t template) pattern(vals *values) Pattern {
	var segs []seg
	for c := (cursor{segs: t.segs, values: vals}); !c.done(); {
		var s seg
		s, c = c.next()
		segs = append(segs, s)
	}
	return finishPattern(writeSegments(segs, t.tail), segs, t.tail)
}

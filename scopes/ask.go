package scopes

import "slices"

// Ask is what a request says that it wants: for each permission either listed
// resources, or, with none listed, all that is held. It is not a right. The
// zero value asks for nothing. See docs/scopes.md, section 3.1.
type Ask struct {
	services  []service // a permission without patterns asks for all that is held
	canonical string
}

// Excess is a part of an [Ask] that is not held. Resource is "" where all that
// is held was asked for and nothing is.
type Excess struct {
	Service    string `json:"service"`
	Permission string `json:"permission"`
	Resource   string `json:"resource,omitempty"`
}

// Empty says whether nothing is asked for.
func (a Ask) Empty() bool { return len(a.services) == 0 }

// Equal says whether both ask for the same, as two aliases of one parameter must.
func (a Ask) Equal(b Ask) bool { return a.canonical == b.canonical }

// Canonical returns the one text of what is asked for, which [ParseAsk] reads
// back. It is "" for nothing.
func (a Ask) Canonical() string { return a.canonical }

// Resolve turns what is asked into what is granted, out of what is held. It is
// the only way from an Ask to a [Set].
//
// Each asked pattern must lie inside one held pattern. If anything does not,
// excess lists it, sorted, and granted is empty: an ask is never silently cut.
// The error is a [*LimitError] when the parts that are held are, put together,
// over the limits; granted is empty then too. See docs/scopes.md, section 3.1.
func (a Ask) Resolve(held Set) (granted Set, excess []Excess, err error) {
	var list []service
	for _, sv := range a.services {
		part := service{id: sv.id, permissions: make([]permission, 0, len(sv.permissions))}
		for _, p := range sv.permissions {
			have := held.patterns(sv.id, p.id)
			give := p.patterns
			if len(give) == 0 {
				// The copy keeps the held set as it is: assemble sorts in place.
				if give = slices.Clone(have); len(give) == 0 {
					excess = append(excess, Excess{Service: sv.id, Permission: p.id})
				}
			} else {
				give = slices.Clone(give)
			}
			for _, pattern := range p.patterns {
				if !covered(have, 0, cursor{segs: pattern.segs, tail: pattern.tail}) {
					excess = append(excess, Excess{sv.id, p.id, pattern.text})
				}
			}
			part.permissions = append(part.permissions, permission{p.id, give})
		}
		list = append(list, part)
	}
	if len(excess) > 0 {
		return Set{}, excess, nil
	}
	granted, err = assemble(list)
	return granted, nil, err
}

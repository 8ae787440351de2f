package scopes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Entry is one right: this permission of this service, on these resources.
type Entry struct {
	Service    string
	Permission string
	Resource   Pattern
}

// Set is what a token, a family, a consent or a configuration line holds. It is
// immutable and always in canonical form. The zero value holds nothing. See
// docs/scopes.md, section 3.1.
type Set struct {
	services  []service
	canonical string
}

// service is the part of a Set or an Ask for one service, sorted by permission.
type service struct {
	id          string
	permissions []permission
}

// permission holds patterns of which none covers another, in the order of the
// index (see covered). In an Ask no patterns at all mean "all that is held".
type permission struct {
	id       string
	patterns []Pattern
}

// NewSet makes a set of entries in any order, as configuration holds them. The
// ids must be ids and the patterns valid ones; what another entry covers is
// left out. The error is a [*LimitError] if the set is too large. See
// docs/scopes.md, section 3.1.
func NewSet(entries ...Entry) (Set, error) {
	for _, e := range entries {
		if err := CheckID(e.Service); err != nil {
			return Set{}, fmt.Errorf("service: %w", err)
		}
		if err := CheckID(e.Permission); err != nil {
			return Set{}, fmt.Errorf("permission: %w", err)
		}
		if !e.Resource.valid() {
			return Set{}, fmt.Errorf("%s/%s: the resource pattern is empty", e.Service, e.Permission)
		}
	}
	return setOf(slices.Clone(entries))
}

// setOf makes a set of checked entries. It sorts its argument.
func setOf(entries []Entry) (Set, error) {
	slices.SortFunc(entries, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Permission, b.Permission))
	})
	var list []service
	for _, e := range entries {
		if n := len(list); n == 0 || list[n-1].id != e.Service {
			list = append(list, service{id: e.Service})
		}
		s := &list[len(list)-1]
		if n := len(s.permissions); n == 0 || s.permissions[n-1].id != e.Permission {
			s.permissions = append(s.permissions, permission{id: e.Permission})
		}
		p := &s.permissions[len(s.permissions)-1]
		p.patterns = append(p.patterns, e.Resource)
	}
	return assemble(list)
}

// assemble brings a list without repeated ids into canonical form and checks
// the limits. It owns the list.
func assemble(list []service) (Set, error) {
	if len(list) == 0 {
		return Set{}, nil
	}
	if len(list) > maxServices {
		return Set{}, &LimitError{Limit: "services", Max: maxServices, Used: len(list)}
	}
	slices.SortFunc(list, func(a, b service) int { return cmp.Compare(a.id, b.id) })
	total := 0
	for _, s := range list {
		slices.SortFunc(s.permissions, func(a, b permission) int { return cmp.Compare(a.id, b.id) })
		for i := range s.permissions {
			p := &s.permissions[i]
			p.patterns = reduce(p.patterns, maxEntries-total)
			// "All that is held" is one entry of an Ask.
			if total += max(len(p.patterns), 1); total > maxEntries {
				return Set{}, &LimitError{Limit: "entries", Max: maxEntries, Used: total}
			}
		}
	}
	text := writeCanonical(list)
	if len(text) > maxCanonical {
		return Set{}, &LimitError{Limit: "bytes in canonical form", Max: maxCanonical, Used: len(text)}
	}
	return Set{services: list, canonical: text}, nil
}

// reduce leaves out what another pattern covers and sorts the rest for the
// index. In that order no pattern covers an earlier one, so what was kept stays,
// and is an index for what follows. It gives up after more than limit patterns.
func reduce(patterns []Pattern, limit int) []Pattern {
	if len(patterns) == 0 {
		return nil
	}
	slices.SortFunc(patterns, comparePatterns)
	kept := make([]Pattern, 0, min(len(patterns), limit+1))
	for _, p := range patterns {
		if covered(kept, 0, cursor{segs: p.segs, tail: p.tail}) {
			continue
		}
		if kept = append(kept, p); len(kept) > limit {
			break
		}
	}
	return kept
}

// Empty says whether the set holds nothing. Such a set is written by leaving
// the claim out.
func (s Set) Empty() bool { return len(s.services) == 0 }

// Canonical returns the one JSON text of the set: sorted, without spaces,
// without anything that is covered by something else. This is what is signed,
// hashed and shown. It is "" for the empty set. See docs/scopes.md, section 3.1.
func (s Set) Canonical() string { return s.canonical }

// MarshalJSON writes the canonical form. The empty set is an error: it has no
// JSON, it is written by leaving the claim out (omitzero does it).
func (s Set) MarshalJSON() ([]byte, error) {
	if s.Empty() {
		return nil, errors.New("an empty resource scope has no JSON form: leave the claim out")
	}
	return []byte(s.canonical), nil
}

// Equal says whether both sets hold the same.
func (s Set) Equal(t Set) bool { return s.canonical == t.canonical }

// Services returns the ids of the services, sorted.
func (s Set) Services() []string {
	ids := make([]string, len(s.services))
	for i := range s.services {
		ids[i] = s.services[i].id
	}
	return ids
}

// Service returns the part of the set for one service.
func (s Set) Service(id string) Set {
	i, found := findService(s.services, id)
	if !found {
		return Set{}
	}
	return subset(s.services[i : i+1 : i+1])
}

// Entries returns a copy of what the set holds, sorted by service, permission
// and pattern.
func (s Set) Entries() []Entry {
	var list []Entry
	for _, sv := range s.services {
		for _, p := range sv.permissions {
			for _, pattern := range p.patterns {
				list = append(list, Entry{sv.id, p.id, pattern})
			}
		}
	}
	slices.SortFunc(list, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Permission, b.Permission),
			cmp.Compare(a.Resource.text, b.Resource.text))
	})
	return list
}

// Permissions returns the part of the set for some permissions of one service.
// It can only leave out, so it needs no limits.
func (s Set) Permissions(serviceID string, permissionIDs []string) Set {
	i, found := findService(s.services, serviceID)
	if !found {
		return Set{}
	}
	part := service{id: serviceID}
	for _, p := range s.services[i].permissions {
		if slices.Contains(permissionIDs, p.id) {
			part.permissions = append(part.permissions, p)
		}
	}
	if len(part.permissions) == 0 {
		return Set{}
	}
	return subset([]service{part})
}

// Pairs returns the entries of s whose service and permission occur together
// in t, whatever the resources there are.
func (s Set) Pairs(t Set) Set {
	var list []service
	for _, sv := range s.services {
		part := service{id: sv.id}
		for _, p := range sv.permissions {
			if len(t.patterns(sv.id, p.id)) > 0 {
				part.permissions = append(part.permissions, p)
			}
		}
		if len(part.permissions) > 0 {
			list = append(list, part)
		}
	}
	return subset(list)
}

// subset makes a set of parts of another one, which are canonical already and
// within the limits.
func subset(list []service) Set {
	if len(list) == 0 {
		return Set{}
	}
	return Set{services: list, canonical: writeCanonical(list)}
}

// patterns returns what is held of one permission; nil for none.
func (s Set) patterns(serviceID, permissionID string) []Pattern {
	i, found := findService(s.services, serviceID)
	if !found {
		return nil
	}
	return findPermission(s.services[i].permissions, permissionID)
}

func findService(list []service, id string) (int, bool) {
	return slices.BinarySearchFunc(list, id, func(s service, id string) int { return strings.Compare(s.id, id) })
}

func findPermission(list []permission, id string) []Pattern {
	i, found := slices.BinarySearchFunc(list, id, func(p permission, id string) int { return strings.Compare(p.id, id) })
	if !found {
		return nil
	}
	return list[i].patterns
}

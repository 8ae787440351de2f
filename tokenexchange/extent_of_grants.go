package tokenexchange

import (
	"errors"
	"slices"

	"github.com/scopegate/scopegate/scopes"
)

// extentOf is what a grant has, nothing if it has ended.
func (v *visit) extentOf(held heldGrant) (choice, error) {
	f, err := v.server.state.Families().hold(v, held.ID)
	if errors.Is(err, ErrNotFound) || err == nil && f.rec.Status == familyRevoked {
		return choice{}, nil
	}
	if err != nil {
		return choice{}, err
	}
	if why, err := v.server.ended(&f.rec.Family); why != "" || err != nil {
		return choice{}, err
	}
	return extent{Scope: f.rec.Scope, Set: f.rec.Set}.read()
}

// with adds what another one has, as far as one set can hold it.
func (c choice) with(other choice) choice {
	c.scope = slices.Clone(c.scope)
	add(&c.scope, other.scope...)
	if !c.set.Contains(other.set) {
		if set, err := scopes.NewSet(slices.Concat(c.set.Entries(), other.set.Entries())...); err == nil {
			c.set = set
		}
	}
	return c
}

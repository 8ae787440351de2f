package tokenexchange

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// remembered is what a person was asked for a client and what was granted then,
// as a record keeps it. Both are needed: what was granted alone does not tell
// what was refused from what nobody asked.
type remembered struct {
	Asked   extent `json:"asked"`
	Granted extent `json:"granted"`
	Roles   string `json:"roles,omitempty"` // that the page named, set apart by blanks
}

// extent is a scope and a set as texts.
type extent struct {
	Scope string `json:"scope"` // words set apart by blanks
	Set   string `json:"set"`   // the canonical text of the scopes.Set, "" for none
}

// remember gives what is kept of a person's choice. It takes the place of what
// was kept before, since the page asks for all of the offer anew.
func remember(o offer, c choice) remembered {
	return remembered{Asked: extentOf(o.everything()), Granted: extentOf(c), Roles: strings.Join(o.roles, " ")}
}

func extentOf(c choice) extent {
	return extent{Scope: strings.Join(c.scope, " "), Set: c.set.Canonical()}
}

// read gives an extent as it can be compared.
func (e extent) read() (choice, error) {
	c := choice{scope: strings.Fields(e.Scope)}
	if e.Set == "" {
		return c, nil
	}
	var err error
	if c.set, err = scopes.ParseSet([]byte(e.Set)); err != nil {
		return choice{}, fmt.Errorf("a remembered set: %w", err)
	}
	return c, nil
}

// answers gives what was granted before of what is offered now, and whether that
// is the answer without asking again. It is if
//
//   - all that is offered was asked before, so that nobody grants unasked, and
//   - no role would be told that the page did not name, and
//   - all that is required was granted, and
//   - something is left of it. What was granted to be known by name alone, or is
//     offered no rights now, is left with the name.
//
// The answer lies inside the offer and inside what was granted.
func (r remembered) answers(o offer) (choice, bool) {
	asked, err := r.Asked.read()
	if err != nil || !asked.set.Contains(o.set) || !subset(o.scope, asked.scope) {
		return choice{}, false
	}
	granted, err := r.Granted.read()
	if err != nil {
		return choice{}, false
	}
	// Who refused anything tells no role.
	if !granted.less(asked) && !subset(o.roles, strings.Fields(r.Roles)) {
		return choice{}, false
	}
	set, err := o.set.Meet(granted.set)
	if err != nil {
		return choice{}, false
	}
	c := choice{set: set}
	for _, word := range o.scope {
		if slices.Contains(granted.scope, word) {
			c.scope = append(c.scope, word)
		}
	}
	switch {
	case !c.set.Contains(o.required):
		return choice{}, false
	case slices.Contains(o.scope, openID) && !slices.Contains(c.scope, openID):
		return choice{}, false
	case c.set.Empty() && !o.set.Empty() && !granted.set.Empty():
		return choice{}, false // All that is asked now was refused then.
	case o.deniedBy(c):
		return choice{}, false
	}
	return c, true
}

// ticks gives the boxes that are ticked when a person is asked again: all but those
// in which something was asked before and refused. Who only presses the button has
// still refused it.
func (r remembered) ticks(o offer) choice {
	asked, err := r.Asked.read()
	if err != nil {
		return o.everything()
	}
	granted, err := r.Granted.read()
	if err != nil {
		return o.everything()
	}
	var c choice
	for _, word := range o.scope {
		if slices.Contains(granted.scope, word) || !slices.Contains(asked.scope, word) {
			c.scope = append(c.scope, word)
		}
	}
	within := func(set scopes.Set, e scopes.Entry) bool {
		one, err := scopes.NewSet(e)
		return err == nil && set.Contains(one)
	}
	refused := slices.DeleteFunc(asked.set.Entries(), func(e scopes.Entry) bool { return within(granted.set, e) })
	kept := slices.DeleteFunc(o.set.Entries(), func(e scopes.Entry) bool {
		return !within(granted.set, e) && slices.ContainsFunc(refused, func(r scopes.Entry) bool { return overlap(r, e) })
	})
	if c.set, err = scopes.NewSet(kept...); err != nil {
		return o.everything()
	}
	return c
}

// overlap reports whether two rights have a resource in common.
func overlap(a, b scopes.Entry) bool {
	_, common := a.Resource.Meet(b.Resource)
	return a.Service == b.Service && a.Permission == b.Permission && common
}

// narrowed reports whether less was granted than was asked.
func (r remembered) narrowed() bool {
	asked, err := r.Asked.read()
	if err != nil {
		return true
	}
	granted, err := r.Granted.read()
	return err != nil || granted.less(asked)
}

// less reports whether a part of what was asked is missing.
func (c choice) less(asked choice) bool {
	return !c.set.Contains(asked.set) || !subset(asked.scope, c.scope)
}

package tokenexchange

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// openID is the scope word that asks who somebody is (OpenID Connect Core
// section 3.1.2.1). It is what a login is for, so nobody can untick it.
const openID = "openid"

// offer is what a client can be granted now: what it asked for, as far as the
// user holds it and the client's permit goes. The zero value offers nothing.
type offer struct {
	scope    []string // words, each once
	set      scopes.Set
	required scopes.Set // inside set; by the client's block, never by the request
	roles    []string   // that a token tells of which holds all of this
}

// choice is what was granted of an offer: by a person, or by what is remembered
// of one. It lies inside its offer, and holds what is required there. The zero
// value grants nothing.
type choice struct {
	scope []string
	set   scopes.Set
}

var (
	// errNotOffered says that a form holds what its page had not.
	errNotOffered = errors.New("a box was ticked that was not on the page, or one twice")
	// errNothingGranted says that every permission was refused, and who somebody is
	// was not asked for: it is a denial.
	errNothingGranted = errors.New("nothing was granted")
)

// newOffer gives what can be granted to a client, out of the scope, the set and the
// roles that a draft for it could have. The error is a [*scopes.LimitError].
func newOffer(c *client, scope []string, set scopes.Set, roles []string) (offer, error) {
	required, err := c.required.Meet(set)
	if err != nil {
		return offer{}, fmt.Errorf("what the client requires of what is offered: %w", err)
	}
	o := offer{set: set, required: required, roles: roles}
	for _, word := range scope {
		if !slices.Contains(o.scope, word) {
			o.scope = append(o.scope, word)
		}
	}
	return o, nil
}

// item is one line of the page: a right that can be granted.
type item struct {
	scopes.Entry
	required bool
}

// value is what the check box sends. Ids have neither a slash nor a blank, so no
// two rights have the same.
func (i item) value() string {
	return i.Service + "/" + i.Permission + " " + i.Resource.String()
}

// items parts the offer for the page, sorted. What is required stands there by
// itself and is fixed. An offered right that is wider stands beside it and can be
// refused; one that is not wider is not shown twice.
func (o offer) items() (list []item) {
	required := o.required.Entries()
	for _, e := range required {
		list = append(list, item{Entry: e, required: true})
	}
	for _, e := range o.set.Entries() {
		if !slices.ContainsFunc(required, func(r scopes.Entry) bool { return covers(r, e) }) {
			list = append(list, item{Entry: e})
		}
	}
	slices.SortFunc(list, func(a, b item) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Permission, b.Permission),
			cmp.Compare(a.Resource.String(), b.Resource.String()))
	})
	return list
}

// covers reports whether all that one right allows, the wider one does.
func covers(wider, e scopes.Entry) bool {
	return wider.Service == e.Service && wider.Permission == e.Permission && wider.Resource.Covers(e.Resource)
}

// everything is what is granted if no box is unticked.
func (o offer) everything() choice { return choice{scope: o.scope, set: o.set} }

// choose gives what is granted by the boxes that were ticked, of rights and of
// scope words, with what is required. A box that was not on the page, was fixed
// there, or comes twice, is errNotOffered: nothing that somebody sent is ignored.
// The error can be errNothingGranted or a [*scopes.LimitError] too.
func (o offer) choose(rights, words []string) (choice, error) {
	boxes := map[string]scopes.Entry{}
	for _, i := range o.items() {
		if !i.required {
			boxes[i.value()] = i.Entry
		}
	}
	entries := o.required.Entries()
	for _, value := range rights {
		e, onPage := boxes[value]
		if !onPage {
			return choice{}, errNotOffered
		}
		delete(boxes, value) // A second tick finds no box.
		entries = append(entries, e)
	}
	set, err := scopes.NewSet(entries...)
	if err != nil {
		return choice{}, fmt.Errorf("what was ticked: %w", err)
	}
	scope, err := o.chooseScope(words)
	if err != nil {
		return choice{}, err
	}
	c := choice{scope: scope, set: set}
	if o.deniedBy(c) {
		return choice{}, errNothingGranted
	}
	return c, nil
}

// chooseScope keeps the words that were ticked, in the order of the offer.
func (o offer) chooseScope(words []string) (kept []string, err error) {
	for i, word := range words {
		if word == openID || !slices.Contains(o.scope, word) || slices.Contains(words[:i], word) {
			return nil, errNotOffered
		}
	}
	for _, word := range o.scope {
		if word == openID || slices.Contains(words, word) {
			kept = append(kept, word)
		}
	}
	return kept, nil
}

// deniedBy reports whether a choice is a denial: no permission is left of those that
// were offered, and an identity was not asked for. Where none was offered there is
// nothing to refuse, and who allows that gives a token with a name alone.
func (o offer) deniedBy(c choice) bool {
	return !o.set.Empty() && c.set.Empty() && !slices.Contains(c.scope, openID)
}

// narrowed reports whether a choice is less than the offer.
func (o offer) narrowed(c choice) bool {
	return !o.set.Equal(c.set) || len(c.scope) < len(o.scope)
}

// digest names the offer. A form carries it, so that nobody grants what was not
// on the page: if the offer has changed since, the page is shown again.
func (o offer) digest() string {
	sum := sha256.Sum256(joinFields(strings.Join(o.scope, " "), o.set.Canonical(), o.required.Canonical(), strings.Join(o.roles, " ")))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

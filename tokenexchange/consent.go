package tokenexchange

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/pages"
)

// offer is what a client can be granted now: what it asked for, of what the user
// holds now, meet the client's permit. The zero value offers nothing.
type offer struct {
	scope    []string // words, each once
	set      scopes.Set
	required scopes.Set // inside set; by the client's block, never by the request
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
	// errNothingGranted says that a choice leaves neither a permission nor the
	// identity: it is a denial.
	errNothingGranted = errors.New("nothing was granted")
)

// newOffer gives what can be granted to a client, out of the scope and the set
// that a draft for it could have. The error is a [*scopes.LimitError].
func newOffer(c *client, scope []string, set scopes.Set) (offer, error) {
	required, err := c.required.Meet(set)
	if err != nil {
		return offer{}, fmt.Errorf("what the client requires of what is offered: %w", err)
	}
	o := offer{set: set, required: required}
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
// itself and is fixed. An offered right that is wider than that is beside it and
// can be refused; one that is not wider is not shown twice.
func (o offer) items() []item {
	return nil
}

// everything is what is granted if no box is unticked.
func (o offer) everything() choice { return choice{scope: o.scope, set: o.set} }

// choose gives what is granted by the boxes that were ticked, of rights and of
// scope words, and what is required besides. A box that was not on the page, or
// comes twice, is errNotOffered; see errNothingGranted.
func (o offer) choose(grants, words []string) (choice, error) {
	return choice{}, errNotOffered
}

// digest names the offer. A form carries it, so that nobody grants what they did
// not see: if the offer has changed since, the page is shown again.
func (o offer) digest() string {
	sum := sha256.Sum256(joinFields(strings.Join(o.scope, " "), o.set.Canonical(), o.required.Canonical()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// narrowed reports whether a choice is less than what was offered.
func (o offer) narrowed(c choice) bool {
	return !o.set.Equal(c.set) || len(c.scope) < len(o.scope)
}

// view is the offer as its page shows it.
func (o offer) view(r *Realm) (services []pages.Service, words []pages.Scope) { return nil, nil }

package tokenexchange

import "github.com/scopegate/scopegate/scopes"

// remembered is what a person was asked for a client and what was granted then,
// as a record keeps it.
type remembered struct {
	Asked   extent `json:"asked"`
	Granted extent `json:"granted"`
}

// extent is a scope and a set as texts.
type extent struct {
	Scope string `json:"scope"` // words set apart by blanks
	Set   string `json:"set"`   // the canonical text of the scopes.Set, "" for none
}

// remember gives what is kept of a person's choice. It replaces what was kept
// before: a person decides about all of an offer.
func remember(o offer, c choice) remembered { return remembered{} }

// answers gives what a person granted before of what is offered now, and whether
// that answers the offer without asking again.
func (r remembered) answers(o offer) (choice, bool) { return choice{}, false }

var _ = scopes.Set{}

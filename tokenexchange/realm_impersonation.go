package tokenexchange

import (
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// impersonation is the checked impersonation block: who may get a token in the
// name of which customer. Its zero value lets nobody.
type impersonation struct {
	roles      []string // the operator holds one of them now
	orgs       []string // the customer is a member of the one that is asked for
	neverRoles []string // the customer holds none of them, in any organization
	permit     scopes.Set
	maxAuthAge time.Duration
}

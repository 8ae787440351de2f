package tokenexchange

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// defaultMaxAuthAge is how long ago an operator may have logged in.
const defaultMaxAuthAge = 15 * time.Minute

// impersonation is the checked impersonation block: who may get a token in the
// name of which customer. Its zero value lets nobody.
type impersonation struct {
	roles      []string // the operator holds one of them now
	orgs       []string // the customer is a member of the one that is asked for
	neverRoles []string // the customer holds none of them, in any organization
	permit     scopes.Set
	maxAuthAge time.Duration
}

// addImpersonation checks the impersonation block against the clients and the
// users, who are known by now.
func (r *Realm) addImpersonation(cfg Config) error {
	user := slices.IndexFunc(cfg.Clients, func(c ClientConfig) bool { return slices.Contains(c.GrantTypes, impersonateUser) })
	switch {
	case cfg.Impersonation == nil && user < 0:
		return nil
	case cfg.Impersonation == nil:
		c := cfg.Clients[user]
		return c.Sources.Place("client "+c.ID, inWord("grant_types", "impersonate_user needs a block that says who may be impersonated by whom; expected impersonation { ... } beside the clients"))
	case user < 0:
		r.warn("impersonation: no client has the grant impersonate_user, so nobody can use it")
	}
	i, err := r.newImpersonation(cfg.Impersonation)
	r.impersonation = i
	return cfg.Impersonation.Sources.Place("impersonation", err)
}

func (r *Realm) newImpersonation(cfg *ImpersonationConfig) (*impersonation, error) {
	i := &impersonation{
		roles: cfg.Roles, orgs: cfg.Orgs, neverRoles: cfg.NeverRoles,
		maxAuthAge: cmp.Or(time.Duration(cfg.MaxAuthAge), defaultMaxAuthAge),
	}
	if len(i.neverRoles) == 0 {
		i.neverRoles = i.roles
	}
	switch {
	case len(i.roles) == 0:
		return nil, fmt.Errorf("roles is missing; expected the roles of operators, such as csp:support")
	case len(i.orgs) == 0:
		return nil, fmt.Errorf("orgs is missing; expected the organizations of customers")
	case cfg.Permit == nil:
		return nil, fmt.Errorf("permit is missing; expected the most that such a token can hold, or permit none")
	}
	for _, check := range []error{
		r.checkRoles("roles", i.roles), r.checkRoles("never_roles", cfg.NeverRoles), r.checkMembers(i.orgs),
		checkLife("max_auth_age", i.maxAuthAge),
	} {
		if check != nil {
			return nil, check
		}
	}
	var err error
	i.permit, err = r.lines("permit", *cfg.Permit)
	return i, err
}

// checkRoles warns of roles that nobody has: a role is whatever the users files
// say, so a misspelt one cannot be told from one that is not given yet. Misspelt
// in never_roles, it keeps nobody out.
func (r *Realm) checkRoles(word string, roles []string) error {
	for n, role := range roles {
		switch {
		case !isRole(role):
			return inWord(word, "%q: expected a role such as csp:support", role)
		case slices.Contains(roles[:n], role):
			return inWord(word, "%s is listed twice; expected once", role)
		case !r.users.anyHas(role) && !r.gives(role):
			r.warn("impersonation: " + word + ": no user has the role " + role)
		}
	}
	return nil
}

func (r *Realm) checkMembers(orgs []string) error {
	for n, org := range orgs {
		switch {
		case r.users.orgs[org].ID == "":
			return inWord("orgs", "%q is not in the users files; expected one of the organizations: %s", org, names(r.users.orgs))
		case slices.Contains(orgs[:n], org):
			return inWord("orgs", "%s is listed twice; expected once", org)
		}
	}
	return nil
}

// isRole reports whether a word is a role: csp: and a name.
func isRole(word string) bool {
	name, found := strings.CutPrefix(word, "csp:")
	return found && scopes.CheckID(name) == nil
}

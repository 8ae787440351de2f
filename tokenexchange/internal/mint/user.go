package mint

import (
	"slices"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// User is what a first token says of a user, in one organization.
type User struct {
	Subject       string // <domain>:<id>
	Account       string // e-mail or user name
	Username      string
	Domain        string
	Org           string
	Roles         []string
	Rights        scopes.Set // what the user holds now in Org
	AuthTime      time.Time  // of the login; the zero value where there was none
	Email         string
	EmailVerified bool
	GivenName     string
	FamilyName    string
	Groups        []Group // in Org
}

// Group is a group that a user is in.
type Group struct{ ID, Name string }

// describe writes into the claims who the user is.
func (u *User) describe(c *claims) {
	c.Subject, c.Account, c.Username, c.Domain, c.ContextName = u.Subject, u.Account, u.Username, u.Domain, u.Org
}

// authTime returns the claim auth_time, 0 to leave it out.
func authTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// within returns the words of a scope that are also in a list, in their order.
func within(scope, list []string) []string {
	return slices.DeleteFunc(slices.Clone(scope), func(word string) bool { return !slices.Contains(list, word) })
}

package tokenexchange

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// usersFile is the users file as it is written (docs/users.md).
type usersFile struct {
	Orgs []struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		DisplayName string `json:"display_name"`
	} `json:"orgs"`
	Groups []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	} `json:"groups"`
	Users     []User     `json:"users"`
	APITokens []APIToken `json:"api_tokens"`
}

// User is one entry of the users file.
type User struct {
	ID              string       `json:"id"`
	Username        string       `json:"username"`
	Domain          string       `json:"domain"`
	Email           string       `json:"email"`
	EmailVerified   bool         `json:"email_verified"`
	GivenName       string       `json:"given_name"`
	FamilyName      string       `json:"family_name"`
	PasswordHash    string       `json:"password_hash"`
	Disabled        bool         `json:"disabled"`
	TokensNotBefore *time.Time   `json:"tokens_not_before"`
	DefaultOrg      string       `json:"default_org"`
	Memberships     []Membership `json:"memberships"`

	hash      passwordHash
	held      map[string]holding // by org
	elsewhere bool               // known by what another provider says
}

// Membership is what a user is and may do in one organization.
type Membership struct {
	Org         string   `json:"org"`
	Roles       []string `json:"roles"`
	Groups      []string `json:"groups"`
	Permissions []string `json:"permissions"` // as in a permit line
}

type holding struct {
	roles  []string
	groups []mint.Group
	rights scopes.Set
}

// maxDomain is the length in bytes of the longest domain, as of a DNS name. So the
// sub of every user fits into a revocation.
const maxDomain = 253

func (u *User) subject() string { return u.Domain + ":" + u.ID }

// source is where this user logs in: the domain of another provider, "" for here. A
// login of another source is of somebody who had the sub before, when the domain
// was that one's.
func (u *User) source() string {
	if u.elsewhere {
		return u.Domain
	}
	return ""
}

// account is the verified e-mail address, or what stands for the user where there
// is none. A name at another provider that looks like an address is not verified
// either, and does not stand where verified ones do.
func (u *User) account() string {
	switch {
	case u.Email != "" && u.EmailVerified:
		return u.Email
	case u.elsewhere && strings.Contains(u.Username, "@"):
		return u.ID
	}
	return u.Username
}

// mintUser is what a token says of the user, who holds now what the users files
// say. It reports false if the user is disabled or no member of the
// organization: then there is no token.
func (u *User) mintUser(org string, authTime time.Time) (mint.User, bool) {
	held, member := u.in(org)
	if !member || u.Disabled {
		return mint.User{}, false
	}
	return mint.User{
		Subject: u.subject(), Account: u.account(), Username: u.Username, Domain: u.Domain,
		Org: org, Roles: held.roles, Rights: held.rights, AuthTime: authTime,
		Email: u.Email, EmailVerified: u.EmailVerified, GivenName: u.GivenName, FamilyName: u.FamilyName,
		Groups: held.groups,
	}, true
}

// in returns what the user holds in an organization now.
func (u *User) in(org string) (holding, bool) {
	h, member := u.held[org]
	return h, member
}

func (d *Directory) add(f *usersFile, expand func(line, org string) ([]scopes.Entry, error)) error {
	for i, org := range f.Orgs {
		if _, err := scopes.NewLiteral(org.ID); err != nil || d.orgs[org.ID].ID != "" {
			return fmt.Errorf("orgs[%d].id: %q is missing, used twice or not a literal: expected 1 to 128 characters without / * %% \\", i, org.ID)
		}
		name := cmp.Or(org.Name, org.ID)
		d.orgs[org.ID] = Org{ID: org.ID, Name: name, DisplayName: cmp.Or(org.DisplayName, name)}
	}
	for i, g := range f.Groups {
		if g.ID == "" || d.groups[g.ID] != "" {
			return fmt.Errorf("groups[%d].id: %q is missing or used twice; expected an id of its own", i, g.ID)
		}
		d.groups[g.ID] = cmp.Or(g.Name, g.ID)
	}
	for i := range f.Users {
		if err := d.addUser(&f.Users[i], expand); err != nil {
			return fmt.Errorf("users[%d]%w", i, err)
		}
	}
	return nil
}

func (d *Directory) addUser(u *User, expand func(line, org string) ([]scopes.Entry, error)) (err error) {
	switch {
	case scopes.CheckID(u.ID) != nil:
		return fmt.Errorf(".id: %q: expected 1 to 128 characters of [A-Za-z0-9._:-]", u.ID)
	case u.Username == "" || strings.ContainsAny(u.Username, " \t\r\n"):
		return errors.New(".username: expected a name without blanks")
	case u.Domain == "" || len(u.Domain) > maxDomain || strings.ContainsAny(u.Domain, ": \t\r\n"):
		return errors.New(".domain: expected a domain such as example.com, of at most 253 bytes")
	case u.Domain == "guard":
		return errors.New(".domain: guard:... is what guards are called where they act; expected a domain such as example.com")
	case d.bySubject[u.subject()] != nil:
		return fmt.Errorf(".id: %q is used twice in this domain; expected an id of its own", u.ID)
	case len(u.Memberships) == 0 && u.DefaultOrg != "":
		return errors.New(".default_org: the user has no membership; expected one in this org")
	}
	if u.PasswordHash != "" {
		if u.hash, err = parsePasswordHash(u.PasswordHash); err != nil {
			return fmt.Errorf(".password_hash: %w", err)
		}
		if !d.decoy.usable() {
			d.decoy = u.hash
		}
	}
	if other := d.byLogin[u.Username+"@"+u.Domain]; other != nil && other.Username == u.Username {
		return fmt.Errorf(".username: %q is used twice in this domain; expected a name of its own", u.Username)
	}
	u.held = map[string]holding{}
	for i, m := range u.Memberships {
		if err := d.addMembership(u, m, expand); err != nil {
			return fmt.Errorf(".memberships[%d]%w", i, err)
		}
	}
	if u.DefaultOrg == "" && len(u.Memberships) == 1 {
		u.DefaultOrg = u.Memberships[0].Org
	}
	if _, member := u.held[u.DefaultOrg]; !member && u.DefaultOrg != "" {
		return fmt.Errorf(".default_org: the user is no member of %q; expected an org of the memberships", u.DefaultOrg)
	}
	d.bySubject[u.subject()] = u
	if u.Email != "" && u.EmailVerified {
		d.byEmail[u.Email] = append(d.byEmail[u.Email], u)
	}
	for _, name := range []string{u.Username, u.Username + "@" + u.Domain} {
		if _, taken := d.byLogin[name]; taken {
			d.byLogin[name] = nil // Nobody logs in by a name that two users have.
			continue
		}
		d.byLogin[name] = u
	}
	return nil
}

func (d *Directory) addMembership(u *User, m Membership, expand func(line, org string) ([]scopes.Entry, error)) error {
	if d.orgs[m.Org].ID == "" {
		return fmt.Errorf(".org: %q is not in orgs; expected one of them", m.Org)
	}
	if _, twice := u.held[m.Org]; twice {
		return fmt.Errorf(".org: a second membership in %q; expected one for each org", m.Org)
	}
	for _, role := range m.Roles {
		if !isRole(role) {
			return fmt.Errorf(".roles: %q: expected a role such as csp:org_member", role)
		}
	}
	var groups []mint.Group
	for _, id := range m.Groups {
		if d.groups[id] == "" {
			return fmt.Errorf(".groups: %q is not in groups; expected one of them", id)
		}
		groups = append(groups, mint.Group{ID: id, Name: d.groups[id]})
	}
	rights, err := rightsOf(m.Permissions, m.Org, expand)
	if err != nil {
		return err
	}
	u.held[m.Org] = holding{roles: slices.Clone(m.Roles), groups: groups, rights: rights}
	return nil
}

// rightsOf reads the permissions of an entry into a set.
func rightsOf(lines []string, org string, expand func(line, org string) ([]scopes.Entry, error)) (scopes.Set, error) {
	var entries []scopes.Entry
	for i, line := range lines {
		e, err := expand(line, org)
		if err != nil {
			return scopes.Set{}, fmt.Errorf(".permissions[%d]: %w", i, err)
		}
		entries = append(entries, e...)
	}
	set, err := scopes.NewSet(entries...)
	if err != nil {
		return scopes.Set{}, fmt.Errorf(".permissions: %w", err)
	}
	return set, nil
}

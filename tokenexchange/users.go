package tokenexchange

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
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
	Users []User `json:"users"`
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

	hash passwordHash
	held map[string]holding // by org
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
	rights scopes.Set
}

func (u *User) subject() string { return u.Domain + ":" + u.ID }

func (u *User) account() string {
	if u.Email != "" && u.EmailVerified {
		return u.Email
	}
	return u.Username
}

// in returns what the user holds in an organization now.
func (u *User) in(org string) (holding, bool) {
	h, member := u.held[org]
	return h, member
}

// Directory is the users of one or more users files. The zero value has none.
type Directory struct {
	byLogin   map[string]*User // nil where two users have the name
	bySubject map[string]*User
	groups    map[string]string
	orgs      map[string]string
	hashing   hashing
	decoy     passwordHash // hashed for unknown names, so that they take as long
	asked     bool         // there are users files, even if they name nobody
}

// readUsers reads the users files strictly. An error names the file and the place in it.
func readUsers(paths []string, expand func(line, org string) ([]scopes.Entry, error)) (*Directory, error) {
	d := &Directory{
		byLogin: map[string]*User{}, bySubject: map[string]*User{},
		groups: map[string]string{}, orgs: map[string]string{}, hashing: newHashing(), asked: len(paths) > 0,
	}
	for i, path := range paths {
		data, err := ReadFile(path)
		if err != nil {
			return nil, InLine("users", i, fmt.Errorf("reading the file: %w", err))
		}
		if err := d.add(data, expand); err != nil {
			return nil, InLine("users", i, fmt.Errorf("file %s: %w", path, err))
		}
	}
	return d, nil
}

func (d *Directory) add(data []byte, expand func(line, org string) ([]scopes.Entry, error)) error {
	var f usersFile
	if err := strictjson.Unmarshal(data, &f); err != nil {
		return err
	}
	for i, org := range f.Orgs {
		if _, err := scopes.NewLiteral(org.ID); err != nil || d.orgs[org.ID] != "" {
			return fmt.Errorf("orgs[%d].id: %q is missing, used twice or not a literal: expected 1 to 128 characters without / * %% \\", i, org.ID)
		}
		d.orgs[org.ID] = org.ID
	}
	for i, g := range f.Groups {
		if g.ID == "" || d.groups[g.ID] != "" {
			return fmt.Errorf("groups[%d].id: %q is missing or used twice; expected an id of its own", i, g.ID)
		}
		d.groups[g.ID] = g.ID
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
	case u.Domain == "" || strings.ContainsAny(u.Domain, ": \t\r\n"):
		return errors.New(".domain: expected a domain such as example.com")
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
	if d.orgs[m.Org] == "" {
		return fmt.Errorf(".org: %q is not in orgs; expected one of them", m.Org)
	}
	if _, twice := u.held[m.Org]; twice {
		return fmt.Errorf(".org: a second membership in %q; expected one for each org", m.Org)
	}
	for _, role := range m.Roles {
		if name, found := strings.CutPrefix(role, "csp:"); !found || scopes.CheckID(name) != nil {
			return fmt.Errorf(".roles: %q: expected a role such as csp:org_member", role)
		}
	}
	for _, g := range m.Groups {
		if d.groups[g] == "" {
			return fmt.Errorf(".groups: %q is not in groups; expected one of them", g)
		}
	}
	var entries []scopes.Entry
	for i, line := range m.Permissions {
		e, err := expand(line, m.Org)
		if err != nil {
			return fmt.Errorf(".permissions[%d]: %w", i, err)
		}
		entries = append(entries, e...)
	}
	rights, err := scopes.NewSet(entries...)
	if err != nil {
		return fmt.Errorf(".permissions: %w", err)
	}
	u.held[m.Org] = holding{roles: slices.Clone(m.Roles), rights: rights}
	return nil
}

// login finds a user by name and password. An unknown name, a wrong password
// and a disabled account are one answer and take one hash each.
func (d *Directory) login(ctx context.Context, name, password string) (*User, error) {
	user := d.byLogin[name]
	// A user without a password takes as long as one who does not exist, and
	// never gets in: the decoy is somebody else's hash.
	hash, usable := d.decoy, user != nil && user.hash.usable()
	if usable {
		hash = user.hash
	}
	good := false
	if err := d.hashing.do(ctx, func() { good = hash.matches(password) }); err != nil {
		return nil, err
	}
	// The log may tell these apart, but never holds the name: people type
	// passwords into that field.
	switch {
	case user == nil:
		return nil, refusedBecause("credentials_wrong", errors.New("no user, or more than one, has this name"))
	case !usable:
		return nil, refusedBecause("credentials_wrong", errors.New("user "+user.subject()+" has no password"))
	case !good:
		return nil, refusedBecause("credentials_wrong", errors.New("wrong password of user "+user.subject()))
	case user.Disabled:
		return nil, refusedBecause("credentials_wrong", errors.New("user "+user.subject()+" is disabled"))
	}
	return user, nil
}

// dead tells why a token of a subject is dead by what the users files say now,
// "" if it lives. Without users files, and for a client's own tokens, they say
// nothing.
func (d *Directory) dead(subject string, issued time.Time) string {
	if !d.asked || !strings.Contains(subject, ":") {
		return ""
	}
	switch u := d.bySubject[subject]; {
	case u == nil:
		return "the user is not in the users files"
	case u.Disabled:
		return "the user is disabled"
	case u.TokensNotBefore != nil && issued.Before(*u.TokensNotBefore):
		return "issued before the user's tokens_not_before"
	}
	return ""
}

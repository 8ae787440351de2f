package tokenexchange

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"
)

// person returns who a subject is now: a local user as the users files have one,
// a user of another provider by the claims of the last login and the map lines of
// now. It is nil for nobody: a user who is gone, or whom no line matches any more.
// An error says that it cannot be known now, which is never "gone".
func (s *Server) person(ctx context.Context, subject string) (*User, error) {
	if user := s.realm.users.user(subject); user != nil {
		return user, nil
	}
	p := s.realm.providerOf(subject)
	if p == nil {
		return nil, nil
	}
	account, err := s.state.Accounts().Find(ctx, subject)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case account.Issuer != p.settings.Issuer || p.domain+":"+accountID(account.Subject) != subject:
		return nil, nil // The domain was another issuer's.
	}
	return p.user(account)
}

// user is what an account may do now, nil if no line matches.
func (p *provider) user(a Account) (*User, error) {
	roles, rights, matched, err := p.mapping.gives(a.Claims)
	if err != nil || !matched {
		return nil, err
	}
	texts := a.Claims.Texts
	id := accountID(a.Subject)
	return &User{
		ID: id, Domain: p.domain, Username: username(texts["preferred_username"], id),
		Email: texts["email"], EmailVerified: texts["email"] != "",
		GivenName: texts["given_name"], FamilyName: texts["family_name"],
		DefaultOrg: p.org, Memberships: []Membership{{Org: p.org, Roles: roles}},
		held: map[string]holding{p.org: {roles: roles, rights: rights}},
	}, nil
}

var usernameForm = regexp.MustCompile(`^[^\s\pC]{1,128}$`)

// username is what the provider calls the user, if that can be one.
func username(preferred, id string) string {
	if usernameForm.MatchString(preferred) {
		return preferred
	}
	return id
}

// dead tells why a token of a subject is dead by what is configured now, "" if it
// lives. It asks no store: that a user of another provider may do less now shows
// when the rights are computed next. Where nothing says who exists, nobody is dead
// for not being named.
func (r *Realm) dead(subject string, issued time.Time) string {
	if r.providerOf(subject) != nil {
		return ""
	}
	if len(r.providers) > 0 && !r.users.asked && strings.Contains(subject, ":") {
		return "the user is of no provider of users"
	}
	return r.users.dead(subject, issued)
}

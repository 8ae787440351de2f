package tokenexchange

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
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
	id, email := accountID(a.Subject), mailbox(texts["email"])
	return &User{
		ID: id, Domain: p.domain, Username: username(texts["preferred_username"], id),
		Email: email, EmailVerified: email != "", elsewhere: true,
		GivenName: personalName(texts["given_name"]), FamilyName: personalName(texts["family_name"]),
		DefaultOrg: p.org, Memberships: []Membership{{Org: p.org, Roles: roles}},
		held: map[string]holding{p.org: {roles: roles, rights: rights}},
	}, nil
}

// maxPersonal and maxMailbox are the lengths of the longest name, in characters, and
// address, in bytes (RFC 5321 section 4.5.3.1.3), that are taken from a provider.
const (
	maxPersonal = 128
	maxMailbox  = 254
)

// username is what the provider calls the user, if that can be one.
func username(preferred, id string) string {
	if visible(preferred) && !strings.ContainsFunc(preferred, unicode.IsSpace) {
		return preferred
	}
	return id
}

// personalName is a name that a provider tells, "" for one that nobody could read.
func personalName(text string) string {
	if visible(text) {
		return text
	}
	return ""
}

// mailbox is an e-mail address that a provider tells, "" for what is none.
func mailbox(text string) string {
	name, host, _ := strings.Cut(text, "@")
	if len(text) > maxMailbox || name == "" || host == "" || strings.Contains(host, "@") ||
		strings.ContainsFunc(text, func(c rune) bool { return unicode.IsSpace(c) || !seen(c) }) {
		return ""
	}
	return text
}

// visible reports whether a text is a name that people see as it is: users of some
// providers write theirs themselves.
func visible(text string) bool {
	return text != "" && utf8.RuneCountInString(text) <= maxPersonal && !strings.ContainsFunc(text, func(c rune) bool { return !seen(c) })
}

// seen reports whether a character is seen where it stands, and turns nothing
// around it: neither a control nor a format character, and no letter without a form.
func seen(c rune) bool {
	const brailleBlank = '\u2800'
	return unicode.IsGraphic(c) && c != brailleBlank && !unicode.In(c, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
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

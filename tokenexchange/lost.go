package tokenexchange

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// deletedFor is how long an API token whose entry is gone gives nothing anywhere:
// processes read their files at different times, and some have the entry still.
// Later its return is a new beginning.
const deletedFor = 10 * time.Minute

// Lost returns what ends because of what one configuration gave and the next one
// does not give: the tokens that were issued before a time. What was gained ends
// nothing. A nil realm gives nothing.
//
//   - A user who is gone, newly disabled or has a later tokens_not_before: all
//     tokens and logins.
//   - A user who lost a membership, a role, a group or a permission, or has another
//     name or address: all tokens. Logins go on with what is left.
//   - A provider of users that is gone, or whose domain is another issuer's: all
//     tokens and logins of its users.
//   - A provider that lost a map line, or has another organization: all tokens of
//     its users. Logins go on with what is left.
//   - An API token whose entry is gone, names something else, gives less or ends
//     sooner: what came of it.
//   - A client that is gone: all tokens and logins through it.
//   - A client that may do less, or whose tokens may be used for less: all tokens
//     through it. Logins go on. In both cases also all tokens of the clients that
//     it allowed to make others of its own, since those do not name it.
//
// A secret, key or password that was replaced ends nothing.
func Lost(before, after *Realm, issuedBefore, now time.Time) []Revocation {
	if before == nil || after == nil || before.issuer != after.issuer {
		return nil
	}
	l := &losses{
		after: after, before: issuedBefore,
		tokens: now.Add(max(before.longestLife(), after.longestLife())),
		logins: now.Add(max(before.longestEnd(), after.longestEnd())),
		found:  map[revocationName]Revocation{},
	}
	for _, u := range before.users.bySubject {
		l.user(u)
	}
	for _, p := range before.providers {
		l.provider(p)
	}
	for _, t := range before.users.apiTokens {
		l.apiToken(t, now)
	}
	for _, c := range before.clients {
		l.client(c)
	}
	l.impersonation(before)
	all := make([]Revocation, 0, len(l.found))
	for _, r := range l.found {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Revocation) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Value, b.Value))
	})
	return all
}

// losses collects revocations, each once.
type losses struct {
	after          *Realm
	before         time.Time
	tokens, logins time.Time // when the last token, and all that a login left, is over
	found          map[revocationName]Revocation
}

func (l *losses) add(r Revocation) { l.found[r.name()] = r }

func (l *losses) subject(sub string, before time.Time) {
	l.add(RevokeSubject(sub, before, l.logins))
}

func (l *losses) clientRights(id string) {
	l.add(RevokeClientRights(id, l.before, l.tokens))
}

func (l *losses) user(u *User) {
	next := l.after.users.user(u.subject())
	switch {
	case u.Disabled && (next == nil || next.Disabled):
		return
	case next == nil || next.Disabled && !u.Disabled:
		l.subject(u.subject(), l.before)
		return
	}
	if t := next.TokensNotBefore; t != nil && (u.TokensNotBefore == nil || t.After(*u.TokensNotBefore)) {
		until := *t
		if until.After(l.before) {
			until = l.before // What is issued later is refused by the file.
		}
		if !until.IsZero() { // Nothing was issued before that.
			l.subject(u.subject(), until)
		}
	}
	if l.less(u, next) {
		l.add(RevokeSubjectRights(u.subject(), l.before, l.tokens))
	}
}

// provider ends tokens of all users of a provider at once: nobody can list them,
// and to whom among them a line gave something is known at their next refresh.
func (l *losses) provider(p *provider) {
	switch next := l.after.providers[p.domain]; {
	case next == nil || next.settings.Issuer != p.settings.Issuer:
		l.add(RevokeDomain(p.domain, l.before, l.logins))
	case p.org != next.org || p.mapping.lessThan(next.mapping):
		l.add(RevokeDomainRights(p.domain, l.before, l.tokens))
	}
}

// less reports whether tokens of a user say or give what those of the next entry do
// not.
func (l *losses) less(u, next *User) bool {
	if u.Username != next.Username || u.Email != next.Email || u.EmailVerified && !next.EmailVerified || u.account() != next.account() {
		return true
	}
	for org, held := range u.held {
		now, member := next.in(org)
		if !member || !subset(held.roles, now.roles) || !subset(held.groups, now.groups) || !l.contains(now.rights, held.rights) {
			return true
		}
	}
	return false
}

// contains reports whether a set holds what another one held of the permissions
// that there are still. One that no service declares any more is nobody's, and no
// rule can ask for it.
func (l *losses) contains(now, before scopes.Set) bool {
	return !slices.ContainsFunc(before.Services(), func(id string) bool {
		s := l.after.services[id]
		return s != nil && !now.Contains(before.Permissions(id, s.permissions))
	})
}

// subset reports whether all of a list are in another one.
func subset[E comparable](list, in []E) bool {
	return !slices.ContainsFunc(list, func(e E) bool { return !slices.Contains(in, e) })
}

func (l *losses) apiToken(t *apiToken, now time.Time) {
	grant := t.grant()
	next := l.after.users.apiTokens[t.id]
	switch {
	case !t.expires.After(now):
		return // What came of it has ended with it.
	case next == nil || next.grant() != grant:
		l.add(RevokeGrant(grant, now.Add(deletedFor)))
	case next.user.subject() == t.user.subject() && next.org == t.org && next.client.ID == t.client.ID &&
		l.contains(next.rights, t.rights) && !next.expires.Before(t.expires):
		return
	}
	l.add(RevokeGrantRights(grant, l.before, l.tokens))
}

// client ends what came of a client that may do less. What others made of its
// first tokens does not name it, so it ends by them: they are those that it allowed.
func (l *losses) client(c *client) {
	next := l.after.clients[c.ID]
	switch {
	case next == nil:
		l.add(RevokeClient(c.ID, l.before, l.logins))
	case l.lessOf(c, next):
		l.clientRights(c.ID)
	default:
		return
	}
	for _, a := range c.allow {
		for _, by := range a.by {
			l.clientRights(by)
		}
	}
}

// lessOf reports whether a client could get tokens that the next one of its name
// cannot.
func (l *losses) lessOf(c, next *client) bool {
	return !l.contains(next.ceiling(), c.ceiling()) || !l.contains(next.Own, c.Own) ||
		!subset(c.Scopes, next.Scopes) || !subset(c.grants, next.grants) || !subset(c.targets, next.targets) ||
		c.apiTokens && !next.apiTokens || !c.orgsWithin(next) ||
		slices.ContainsFunc(c.allow, func(a allowance) bool { return !next.allowsAll(a) })
}

// orgsWithin reports whether the next client works in all organizations of this
// one: for users in those of allowed_orgs, or without that line in all; by itself
// in its own besides.
func (c *client) orgsWithin(next *client) bool {
	if len(next.allowedOrgs) > 0 && (len(c.allowedOrgs) == 0 || !subset(c.allowedOrgs, next.allowedOrgs)) {
		return false
	}
	own := func(c *client) []string { return append([]string{c.org}, c.allowedOrgs...) }
	return !slices.Contains(c.grants, grantClientCredentials.name) || subset(own(c), own(next))
}

// allowsAll reports whether an earlier allow line still holds, whichever lines say
// so.
func (c *client) allowsAll(a allowance) bool {
	return !slices.ContainsFunc(a.by, func(by string) bool {
		if len(a.to) == 0 {
			return !c.lets(a.grant, by)
		}
		return slices.ContainsFunc(a.to, func(to string) bool { return !c.allows(a.grant, by, to) })
	})
}

// impersonation ends the tokens of the clients that impersonate where fewer may be
// impersonated, by fewer, or for less.
func (l *losses) impersonation(before *Realm) {
	was, is := before.impersonation, l.after.impersonation
	if was == nil || is != nil && subset(was.roles, is.roles) && subset(was.orgs, is.orgs) && subset(is.neverRoles, was.neverRoles) && l.contains(is.permit, was.permit) {
		return
	}
	for _, c := range before.clients {
		if slices.Contains(c.grants, impersonateUser) {
			l.clientRights(c.ID)
		}
	}
}

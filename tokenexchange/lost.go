package tokenexchange

import (
	"cmp"
	"slices"
	"strings"
	"time"
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
		before: issuedBefore,
		tokens: now.Add(max(before.longestLife(), after.longestLife())),
		logins: now.Add(max(before.longestLogin(), after.longestLogin())),
		found:  map[outboxKey]Revocation{},
	}
	for _, u := range before.users.bySubject {
		l.user(u, after.users)
	}
	for _, t := range before.users.apiTokens {
		l.apiToken(t, after.users, now)
	}
	for _, c := range before.clients {
		l.client(c, after)
	}
	l.impersonation(before, after)
	all := make([]Revocation, 0, len(l.found))
	for _, r := range l.found {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Revocation) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Value, b.Value))
	})
	return all
}

// longestLogin is how long what came of a login of now can be refreshed, and the
// last token of it lives.
func (r *Realm) longestLogin() time.Duration {
	longest := defaultRefreshValidity
	for _, c := range r.clients {
		longest = max(longest, c.refreshValidity)
	}
	return longest + r.longestLife()
}

// losses collects revocations, each once.
type losses struct {
	before         time.Time
	tokens, logins time.Time // when the last token, and the last of a login, is over
	found          map[outboxKey]Revocation
}

func (l *losses) add(r Revocation) { l.found[outboxKey{r.Kind, r.Value}] = r }

func (l *losses) subject(sub string, before time.Time) {
	l.add(RevokeSubject(sub, before, l.logins))
}

func (l *losses) clientRights(id string) {
	l.add(RevokeClientRights(id, l.before, l.tokens))
}

func (l *losses) user(u *User, after *Directory) {
	next := after.user(u.subject())
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
	if u.hasMoreThan(next) {
		l.add(RevokeSubjectRights(u.subject(), l.before, l.tokens))
	}
}

// hasMoreThan reports whether tokens of a user say or give what those of the next
// entry do not.
func (u *User) hasMoreThan(next *User) bool {
	if u.Username != next.Username || u.Email != next.Email || u.EmailVerified && !next.EmailVerified || u.account() != next.account() {
		return true
	}
	for org, held := range u.held {
		now, member := next.in(org)
		if !member || !subset(held.roles, now.roles) || !subset(held.groups, now.groups) || !now.rights.Contains(held.rights) {
			return true
		}
	}
	return false
}

// subset reports whether all of a list are in another one.
func subset[E comparable](list, in []E) bool {
	return !slices.ContainsFunc(list, func(e E) bool { return !slices.Contains(in, e) })
}

func (l *losses) apiToken(t *apiToken, after *Directory, now time.Time) {
	grant := t.grant()
	next := after.apiTokens[t.id]
	switch {
	case !t.expires.After(now):
		return // What came of it has ended with it.
	case next == nil || next.grant() != grant:
		l.add(RevokeGrant(grant, now.Add(deletedFor)))
	case next.user.subject() == t.user.subject() && next.org == t.org && next.client.ID == t.client.ID &&
		next.rights.Contains(t.rights) && !next.expires.Before(t.expires):
		return
	}
	l.add(RevokeGrantRights(grant, l.before, l.tokens))
}

// client ends what came of a client that may do less. What others made of its
// first tokens does not name it, so it ends by them: they are those that it allowed.
func (l *losses) client(c *client, after *Realm) {
	next := after.clients[c.ID]
	switch {
	case next == nil:
		l.add(RevokeClient(c.ID, l.before, l.logins))
	case c.mayMoreThan(next):
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

// mayMoreThan reports whether a client could get tokens that the next one of its
// name cannot.
func (c *client) mayMoreThan(next *client) bool {
	return !next.ceiling().Contains(c.ceiling()) || !next.Own.Contains(c.Own) ||
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
func (l *losses) impersonation(before, after *Realm) {
	was, is := before.impersonation, after.impersonation
	if was == nil || is != nil && subset(was.roles, is.roles) && subset(was.orgs, is.orgs) && subset(is.neverRoles, was.neverRoles) && is.permit.Contains(was.permit) {
		return
	}
	for _, c := range before.clients {
		if slices.Contains(c.grants, impersonateUser) {
			l.clientRights(c.ID)
		}
	}
}

package tokenexchange

import (
	"hash/maphash"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// endedGrant reports whether a grant is revoked, for who would issue a token of it.
func (v *Revocations) endedGrant(id string) bool {
	what := Revocation{Kind: RevokedGrant, Value: id}
	if !v.knows(what) {
		return false
	}
	v.Len() // It may be over: then it is forgotten now, and not with the next one.
	return v.knows(what)
}

// lacks tells which rights in a token were taken away after it was issued. Who
// logged in goes on with the rest.
func (v *Revocations) lacks(id mint.Identifiers) string {
	issued := id.IssuedAt.UnixMilli()
	switch {
	case v.holds(ofSubjectRights, id.Subject, issued) || v.holds(ofSubjectRights, id.Operator, issued):
		return "issued before its user lost rights"
	case v.holdsDomain(ofDomainRights, id.Subject, issued) || v.holdsDomain(ofDomainRights, id.Operator, issued):
		return "issued before the users of its domain lost rights"
	case v.holds(ofGrantRights, id.GrantID, issued):
		return "issued before its API token was changed"
	case v.holds(ofClientRights, id.ClientID, issued) || v.passed(ofClientRights, id.Hops[:], issued):
		return "issued before a client of it lost rights"
	}
	return ""
}

// holdsDomain is holds for the domain of a user.
func (v *Revocations) holdsDomain(kind int, subject string, issued int64) bool {
	return len(v.dead[kind]) > 0 && v.holds(kind, domainOf(subject), issued)
}

// rightsSince returns from when on tokens with these identifiers live, the zero
// time if nothing was taken away from them.
func (v *Revocations) rightsSince(id mint.Identifiers) time.Time {
	v.mu.RLock()
	defer v.mu.RUnlock()
	latest := int64(0)
	for kind, value := range map[int]string{ofSubjectRights: id.Subject, ofDomainRights: domainOf(id.Subject), ofGrantRights: id.GrantID, ofClientRights: id.ClientID} {
		latest = max(latest, v.dead[kind][maphash.String(v.seeds[kind], value)].before)
	}
	if latest == 0 {
		return time.Time{}
	}
	return time.UnixMilli(latest)
}

// longestSecond is how long a token waits for the second in which it lives: a
// second, and what clocks of processes may differ by.
const longestSecond = 2 * time.Second

// awaitRights waits for the end of the second in which rights of a first token
// were taken away. The token has what is left, but its iat, in whole seconds, would
// say that it is from before; and a client that was refused comes at once.
func (c *call) awaitRights(d *mint.Draft) {
	if d == nil || c.params["subject_token"] != "" {
		return // What is derived is as old as its first token.
	}
	v, now := c.server.revocations, c.server.now()
	if v.count.Load() == 0 {
		return
	}
	wait := v.rightsSince(mint.Identifiers{GrantID: d.GrantID(), Subject: d.Subject(), ClientID: c.client.ID}).Sub(now)
	if wait <= 0 || wait > longestSecond {
		return
	}
	select {
	case <-time.After(wait):
	case <-c.Done():
	}
}

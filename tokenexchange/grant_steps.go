package tokenexchange

import (
	"errors"
	"net/http"
	"strings"
	"time"
)

// consent takes what a person decided about an offer.
func (v *visit) consent(st standing) (reply, error) {
	if st.stage < stageConsent {
		return nil, refusedBecause("step_expired", errors.New("nothing is offered now"))
	}
	// Nobody grants what they did not see.
	if v.params["offer"] != st.offer.digest() {
		v.again = func(w http.ResponseWriter, e *Refused) { v.showConsent(w, st, e) }
		return nil, refused("offer_changed", "")
	}
	var err error
	if st.choice, err = st.offer.choose(v.ticked["grant"], v.ticked["scope"]); errors.Is(err, errNotOffered) {
		return nil, refusedBecause("form_malformed", err)
	}
	denied := errors.Is(err, errNothingGranted)
	if err != nil && !denied {
		return nil, err
	}
	if err := v.take(func(tx *transaction) { tx.Done = true }); err != nil {
		return nil, err
	}
	if denied {
		return nil, refusedBecause("access_denied", err)
	}
	if err := v.server.state.Consents().Remember(v, v.attempt, st.consentOf(v.session.Subject), remember(st.offer, st.choice)); err != nil {
		return nil, err
	}
	return v.grant(st)
}

// grant sends the client a code for what was granted. The lists of the person come
// first: what is not in them could not be taken back.
func (v *visit) grant(st standing) (reply, error) {
	s, q := v.server, v.asked
	draft, err := st.draft.Within(st.choice.set)
	if err != nil {
		return nil, err
	}
	if draft, err = draft.Limit(st.choice.scope); err != nil {
		return nil, err
	}
	if err := s.mint.Fits(draft, nil); err != nil {
		return nil, err
	}
	g := Grant{
		ID: draft.GrantID(), Subject: draft.Subject(), Client: q.Client, Org: st.org, Session: v.session.SID,
		Set: draft.Rights().Canonical(), Scope: draft.Scope(), Narrowed: draft.Narrowed(),
		Roles: strings.Join(draft.Roles(), " "), AuthTime: v.session.AuthTime,
	}
	if err := v.list(st.client, g); err != nil {
		return nil, err
	}
	if st.was != nil {
		if err := s.state.Consents().Keep(v, v.attempt, st.was); err != nil {
			return nil, err
		}
	}
	code, err := s.state.Codes().Issue(v, v.attempt, Code{
		Grant: g, RedirectURI: q.RedirectURI, Challenge: q.Challenge, Method: q.Method, Nonce: q.Nonce, State: q.State,
	})
	if err != nil {
		return nil, err
	}
	v.record.Grant = authorizationCode
	return func(w http.ResponseWriter) { sendBack(w, q.answer(s.realm.issuer, code)) }, nil
}

// list adds a grant to what the person has going.
func (v *visit) list(c *client, g Grant) error {
	s, now := v.server, inMillis(v.server.now())
	end := now.Add(CodeLife + max(c.refreshValidity, c.AccessValidity) + signingSlack)
	var fell []heldGrant
	var forgotten []allowed
	err := s.state.Holdings().change(v, v.attempt, g.Subject, func(h *holdings) {
		h.Grants = append(h.Grants, heldGrant{ID: g.ID, Client: g.Client, Org: g.Org, Since: now, End: end})
		forgotten = h.allow(allowed{Client: g.Client, Org: g.Org, Since: now, End: now.Add(consentLife)})
		fell, h.Grants = tooMany(h.Grants)
	})
	if err != nil {
		return err
	}
	for _, a := range forgotten {
		if err := s.state.Consents().Forget(v, v.attempt, consentName{Subject: g.Subject, Org: a.Org, Client: a.Client}); err != nil {
			return err
		}
	}
	return s.endGrants(v, v.attempt, fell)
}

// endGrants ends families of tokens.
func (s *Server) endGrants(v *visit, a Attempt, grants []heldGrant) error {
	if len(grants) == 0 {
		return nil
	}
	until, ends := s.longestEnd(), []Revocation(nil)
	for _, g := range grants {
		ends = append(ends, RevokeGrant(g.ID, until))
	}
	if err := s.revoke(v, ends...); err != nil {
		return published(err)
	}
	for _, g := range grants {
		if err := s.state.Families().Revoke(v, a, g.ID); err != nil {
			return err
		}
	}
	return nil
}

// longestEnd is when nothing of a login that exists now lives on. It is rounded
// up, so that who repeats a revocation says nothing new.
func (s *Server) longestEnd() time.Time {
	return s.now().Truncate(logoutStep).Add(logoutStep + s.realm.longestFamily())
}

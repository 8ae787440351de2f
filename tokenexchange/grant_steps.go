package tokenexchange

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// consent takes what a person decided about an offer.
func (v *visit) consent(st standing) (reply, error) {
	if st.stage < stageConsent || st.client == nil {
		return nil, refusedBecause("step_expired", errors.New("nothing is offered now"))
	}
	// Nobody grants what they did not see.
	if v.params["offer"] != st.mark {
		v.again = func(w http.ResponseWriter, e *Refused) { v.showConsent(w, st, e) }
		return nil, refused("offer_changed", "")
	}
	choice, err := st.offer.choose(v.ticked["grant"], v.ticked["scope"])
	switch {
	case errors.Is(err, errNotOffered):
		return nil, refusedBecause("form_malformed", err)
	case errors.Is(err, errNothingGranted):
		return v.deny(err)
	case err != nil:
		return nil, err
	}
	decided := &decision{Offer: st.mark, Granted: extentOf(choice)}
	if decided.Over, err = v.server.state.Consents().latest(v, st.consentOf(v.session.Subject)); err != nil {
		return nil, err
	}
	if err := v.take(func(tx *transaction) { tx.Decided = decided }); err != nil {
		return nil, err
	}
	return v.next(), nil
}

// deny tells the client that the person does not want it.
func (v *visit) deny(why error) (reply, error) {
	if err := v.take(func(tx *transaction) { tx.Done = true }); err != nil {
		return nil, err
	}
	return nil, refusedBecause("access_denied", why)
}

// finish grants what a person decided, now or before. The transaction is over with
// the last write before the answer: whatever fails before that can be done again,
// and a code of a try that was not the last is told to nobody.
func (v *visit) finish(st standing) (reply, error) {
	if err := v.keepOrg(st); err != nil {
		return nil, err
	}
	answer, err := v.grant(st)
	if err != nil {
		return nil, err
	}
	return answer, v.take(func(tx *transaction) { tx.Done = true })
}

// keepOrg has the organization that was chosen hold for the rest of the session.
func (v *visit) keepOrg(st standing) error {
	if v.tx.Org != st.org || v.session.Orgs[st.client.ID] == st.org {
		return nil
	}
	err := v.server.state.Sessions().choose(v, v.attempt, v.session, st.client.ID, st.org)
	if errors.Is(err, ErrNotFound) {
		return refusedBecause("session_ended", err)
	}
	return err
}

// grant makes a code for what was granted, and the answer that takes it to the
// client. The lists of the person come first: what is not in them could not be
// taken back.
func (v *visit) grant(st standing) (reply, error) {
	s, q := v.server, v.asked
	draft, err := st.draft.Within(st.choice.set)
	if err != nil {
		return nil, err
	}
	draft = draft.LimitTo(st.choice.scope)
	if st.was != nil && st.was.narrowed() {
		draft = draft.Refused()
	}
	if err := s.mint.Fits(draft, nil); err != nil {
		return nil, err
	}
	g := Grant{
		ID: draft.GrantID(), Subject: draft.Subject(), Client: q.Client, Org: st.org, Session: v.session.SID,
		Set: draft.Rights().Canonical(), Scope: draft.Scope(), Narrowed: draft.Narrowed(),
		Roles: strings.Join(draft.Roles(), " "), AuthTime: v.session.AuthTime, Source: v.user.source(),
	}
	if err := v.list(st.client, g); err != nil {
		return nil, err
	}
	if err := v.settle(st); err != nil {
		return nil, err
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

// settle remembers what was decided now, or prolongs what was remembered. A person
// who takes that back does so before looking for the grants that came of it. So it
// must not have been taken back when this grant is in the lists.
func (v *visit) settle(st standing) error {
	c, name := v.server.state.Consents(), st.consentOf(v.session.Subject)
	if st.was == nil {
		err := c.Remember(v, v.attempt, name, remember(st.offer, st.choice), v.tx.Decided.Over)
		if errors.Is(err, ErrNotFound) {
			return refusedBecause("consent_required", errors.New("the consent was taken back meanwhile, or another one was given"))
		}
		return err
	}
	now, err := c.Load(v, name)
	if errors.Is(err, ErrNotFound) || err == nil && now.rec.remembered != st.was.rec.remembered {
		return refusedBecause("consent_required", errors.New("the consent was changed at the same time"))
	}
	if err != nil {
		return err
	}
	return c.Keep(v, v.attempt, now)
}

// list adds a grant to what the person has going.
func (v *visit) list(c *client, g Grant) error {
	s, now := v.server, inMillis(v.server.now())
	held := heldGrant{ID: g.ID, Client: g.Client, Org: g.Org, Session: g.Session, Since: now}
	// Until the last access token is over that the last refresh can give.
	held.End = now.Add(CodeLife + c.refreshValidity + c.AccessValidity + mint.LeewayExpiry + signingSlack)
	if slices.Contains(strings.Fields(g.Scope), mint.Offline) {
		held.Session = ""
	}
	var fell []heldGrant
	var forgotten []allowed
	err := s.state.Holdings().change(v, v.attempt, g.Subject, func(h *holdings) {
		fell = h.grant(held)
		forgotten = h.allow(allowed{Client: g.Client, Org: g.Org, Since: now, End: latest(now.Add(consentLife), held.End)})
		for _, a := range forgotten {
			fell = append(fell, h.of(a)...)
		}
	})
	if err != nil || len(fell) == 0 && len(forgotten) == 0 {
		return err
	}
	for _, a := range forgotten {
		if err := s.state.Consents().Forget(v, v.attempt, consentName{Subject: g.Subject, Org: a.Org, Client: a.Client}); err != nil {
			return err
		}
	}
	// It is the client that ends them, not the person, who has to end others yet.
	if err := v.endGrants(c.ID, g.Subject, fell); err != nil {
		// No code is made of it, so it takes no place.
		return errors.Join(err, s.state.Holdings().change(v, v.attempt, g.Subject, func(h *holdings) { h.end([]heldGrant{held}) }))
	}
	return s.state.Holdings().change(v, v.attempt, g.Subject, func(h *holdings) {
		h.end(fell)
		for _, a := range forgotten {
			h.forget(a)
		}
	})
}

// endGrants ends families of tokens, and codes that were not used, for a client, or
// for the person itself.
func (v *visit) endGrants(client, subject string, grants []heldGrant) error {
	if len(grants) == 0 {
		return nil
	}
	s, ends := v.server, []Revocation(nil)
	for _, g := range grants {
		end := RevokeGrant(g.ID, s.longestEnd())
		if err := s.mayEnd(client, subject, end); err != nil {
			return err
		}
		ends = append(ends, end)
	}
	if err := s.revoke(v, ends...); err != nil {
		return published(err)
	}
	for _, g := range grants {
		if err := s.state.Families().Revoke(v, v.attempt, g.ID); err != nil {
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

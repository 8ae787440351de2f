package tokenexchange

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// stage is what a person has to do next. The zero stage is the first one.
type stage int

const (
	stageLogin stage = iota
	stageOrganization
	stageConsent
	stageGranted // nothing: all was said before
)

// reason tells a client that wants nobody to be asked what would be asked
// (OpenID Connect Core section 3.1.2.6).
func (g stage) reason() Reason {
	switch g {
	case stageOrganization:
		return "organization_required"
	case stageConsent:
		return "consent_required"
	}
	return "login_required"
}

// asks says for the log what the person is asked.
func (g stage) asks() string {
	switch g {
	case stageOrganization:
		return "the person is asked for an organization"
	case stageConsent:
		return "the person is asked for consent"
	}
	return "the person is asked to log in"
}

// standing is how far a request has come, and what is known of it by then.
type standing struct {
	stage  stage
	client *client
	orgs   []string // from stageOrganization on: those that the person can choose
	org    string   // from stageConsent on
	draft  mint.Draft
	offer  offer
	mark   string   // names what is offered, to whom and for which organization
	choice choice   // in stageGranted
	ticked choice   // the boxes of the page, in stageConsent
	was    *Consent // that was remembered, in stageGranted; nil if it was decided now
}

// stand tells how far a request has come. It asks everything anew, and trusts no
// earlier step: a person who lost a right, or the session, is where they are now.
func (v *visit) stand(tx *transaction) (standing, error) {
	q, in := &tx.Request, v.session
	if in == nil || !in.serves(tx, v.server.now()) {
		return standing{}, nil
	}
	if q.HintSubject != "" && q.HintSubject != in.Subject {
		if tx.logged(in) { // The wrong person came, and would come again.
			return standing{}, refusedBecause("login_required", errors.New("somebody else logged in than id_token_hint names"))
		}
		return standing{}, nil
	}
	if q.Client == "" {
		return standing{stage: stageGranted}, nil
	}
	st := standing{stage: stageOrganization, client: v.server.realm.clients[q.Client]}
	if st.orgs = v.orgsFor(st.client); len(st.orgs) == 0 {
		return st, refused("no_organization", "")
	}
	if q.Org != "" && !slices.Contains(st.orgs, q.Org) {
		return st, refused("org_not_allowed", "")
	}
	if st.org = v.org(tx, st.orgs); st.org == "" {
		return st, nil
	}
	v.record.Org = st.org
	return st, v.ask(tx, &st)
}

// serves reports whether the client takes the person's word, in this session, for
// who they are.
func (in *session) serves(tx *transaction, now time.Time) bool {
	if tx.logged(in) {
		return true
	}
	q := &tx.Request
	return !q.prompts(promptLogin) && (q.MaxAge == nil || max(now.Sub(in.AuthTime), 0) < time.Duration(*q.MaxAge)*time.Second)
}

// logged reports whether the session began in the transaction, with a proof made
// for it.
func (tx *transaction) logged(in *session) bool { return tx.Session == in.mark() }

// orgsFor are the organizations in which a person can use a client.
func (v *visit) orgsFor(c *client) (orgs []string) {
	for _, m := range v.user.Memberships {
		if c.worksIn(m.Org) {
			add(&orgs, m.Org)
		}
	}
	return orgs
}

// org is the one that the request is for, "" for one that the person has to choose.
// What was chosen in this session holds until the client has the person asked again.
func (v *visit) org(tx *transaction, orgs []string) string {
	q := &tx.Request
	switch chosen := v.session.Orgs[q.Client]; {
	case q.Org != "":
		return q.Org
	case len(orgs) == 1:
		return orgs[0]
	case tx.Chooser == v.session.mark() && slices.Contains(orgs, tx.Org):
		return tx.Org
	case !q.prompts(promptConsent) && !q.prompts(promptLogin) && slices.Contains(orgs, chosen):
		return chosen
	}
	return ""
}

// ask makes the offer of what the client can be granted, and looks whether the
// person has decided about all of it before.
func (v *visit) ask(tx *transaction, st *standing) error {
	q, s := &tx.Request, v.server
	now, member := v.user.mintUser(st.org, v.session.AuthTime)
	if !member {
		return refused("org_not_allowed", "")
	}
	ask, err := q.ask()
	if err != nil {
		return err
	}
	if st.draft, err = s.mint.First(now, &st.client.Client); err != nil {
		return err
	}
	if st.draft, err = st.draft.Narrow(ask); err != nil {
		return err
	}
	if st.draft, err = st.draft.Limit(q.Scope); err != nil {
		return err
	}
	st.draft = st.draft.LimitTo(q.Scope) // No words are none, and not all.
	if st.offer, err = newOffer(st.client, strings.Fields(st.draft.Scope()), st.draft.Rights(), st.draft.TellsRoles()); err != nil {
		return err
	}
	st.stage, st.mark = stageConsent, v.offerMark(st)
	if tx.Decided != nil && tx.Decided.Offer == st.mark {
		if st.choice, err = tx.Decided.Granted.read(); err == nil {
			st.stage = stageGranted
		}
		return err
	}
	st.ticked = st.offer.everything()
	was, err := s.state.Consents().Load(v, st.consentOf(v.session.Subject))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if why, err := s.overruled(was); why != "" || err != nil {
		return err
	}
	st.ticked = was.rec.ticks(st.offer)
	if q.prompts(promptConsent) || !st.client.assured(q.RedirectURI) {
		return nil
	}
	if choice, silent := was.answers(st.offer); silent {
		st.stage, st.choice, st.was = stageGranted, choice, was
	}
	return nil
}

// offerMark names an offer in its form. What is decided about it holds for the same
// person, login and organization, and for nothing else that looks like it.
func (v *visit) offerMark(st *standing) string {
	sum := sha256.Sum256(joinFields(v.session.mark(), st.org, st.offer.digest()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// consentOf names what is remembered of a person for this client.
func (st *standing) consentOf(subject string) consentName {
	return consentName{Subject: subject, Org: st.org, Client: st.client.ID}
}

// ofRights are the reasons that tell something of what a person has.
var ofRights = []Reason{Reason(mint.ResourceExceeded), Reason(mint.ResourceTooLarge), "org_not_allowed", "no_organization", "organization_required"}

// hushed tells a client nothing of a person who has never agreed to it, where the
// person would not even see that it asked.
func (v *visit) hushed(err error) error {
	if !v.asked.prompts(promptNone) || !slices.Contains(ofRights, asRefused(err).Reason) {
		return err
	}
	h, fault := v.server.state.Holdings().load(v, v.session.Subject)
	if fault != nil {
		return fault
	}
	if slices.ContainsFunc(h.Allowed, func(a allowed) bool { return a.Client == v.asked.Client }) {
		return err
	}
	return refusedBecause("consent_required", err)
}

package tokenexchange

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The paths of the pages.
const (
	authorizePath = "/oauth2/authorize"
	accountPath   = "/oauth2/account"
)

// serveAuthorize is the authorization endpoint (RFC 6749 section 3.1). It is the
// one dispatcher of a login: the record of the transaction and who is logged in
// tell which page comes next, and no page leads to another.
func (s *Server) serveAuthorize(w http.ResponseWriter, r *http.Request) {
	s.received(w, r, "authorize", (*visit).authorize)
}

func (v *visit) authorize() (reply, error) {
	if v.params["transaction"] == "" {
		return v.begin()
	}
	if v.request.Method == http.MethodPost {
		if err := v.sameSite(); err != nil {
			return nil, err
		}
	}
	if err := v.recognize(); err != nil {
		return nil, err
	}
	if err := v.resume(); err != nil {
		return nil, err
	}
	if v.request.Method == http.MethodPost {
		return v.step()
	}
	return v.look()
}

// begin takes a new authorization request. It is answered at once if nobody has
// to be asked anything.
func (v *visit) begin() (reply, error) {
	s := v.server
	if v.request.Method == http.MethodPost {
		return v.turn()
	}
	params, err := s.requested(v, v.attempt, v.params)
	if err != nil {
		return nil, err
	}
	v.usedUp = v.params["request_uri"] != ""
	q, err := s.authorizationRequest(params)
	v.asked, v.record.Client = q, q.Client
	if err == nil {
		// Only now, so that the client can be told if it cannot be known.
		err = v.recognize()
	}
	if err != nil {
		return nil, err
	}
	st, err := v.stand(&transaction{Request: q})
	if err != nil {
		return nil, v.hushed(err)
	}
	switch {
	case st.stage == stageGranted:
		return v.grant(st)
	case q.prompts(promptNone):
		return nil, v.hushed(refused(st.stage.reason(), ""))
	}
	return v.enter(q)
}

// turn makes a request that was posted, maybe by another site, into one that the
// browser brings itself: with that it sends its cookies.
func (v *visit) turn() (reply, error) {
	s, uri := v.server, v.params["request_uri"]
	if !strings.HasPrefix(uri, requestURN) {
		q, err := s.authorizationRequest(v.params)
		v.asked, v.record.Client = q, q.Client
		if err != nil {
			return nil, err
		}
		if err := v.mayBegin(); err != nil {
			return nil, err
		}
		if uri, err = s.keep(v, v.attempt, v.params); err != nil {
			return nil, err
		}
	} else if err := v.params.aloneWithURI(); err != nil {
		return nil, err
	}
	return v.sendTo(authorizePath, url.Values{"client_id": {v.params["client_id"]}, "request_uri": {uri}}), nil
}

// enter begins a transaction, and sends the browser to its page.
func (v *visit) enter(q authorizationRequest) (reply, error) {
	if err := v.mayBegin(); err != nil {
		return nil, err
	}
	v.record.Cause = "no code yet: a login begins"
	v.know()
	tx, err := v.server.state.Transactions().begin(v, v.attempt, q, v.browser)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter) { sendBack(w, tx.address(v.server.state)) }, nil
}

// resume finds the transaction that a page belongs to. Its request is checked
// again: it was good for the configuration of then.
func (v *visit) resume() error {
	tx, err := v.server.state.Transactions().find(v, v.params["transaction"], v.browser)
	switch {
	case errors.Is(err, ErrNotFound):
		return refusedBecause("transaction_unknown", err)
	case err != nil:
		return err
	}
	v.tx, v.record.Client = tx, tx.Request.Client
	if tx.Request.Client == "" {
		v.retry = accountPath
	}
	if tx.Done {
		return refusedBecause("step_expired", errors.New("the request was answered before"))
	}
	if tx.Request.Client != "" {
		c := v.server.realm.clients[tx.Request.Client]
		if c == nil || !c.listensAt(tx.Request.RedirectURI) {
			return refusedBecause("client_unknown", errors.New("the client of the request is not configured so any more"))
		}
		v.asked = tx.Request
	}
	return nil
}

// look shows the page of the step that is next.
func (v *visit) look() (reply, error) {
	st, err := v.stand(v.tx)
	if err != nil {
		return nil, err
	}
	v.record.Cause = "no code yet: " + st.stage.asks()
	switch st.stage {
	case stageLogin:
		if v.params["provider"] != "" {
			return v.depart()
		}
		return func(w http.ResponseWriter) { v.showLogin(w, nil) }, nil
	case stageOrganization:
		return func(w http.ResponseWriter) { v.showOrganizations(w, st) }, nil
	case stageConsent:
		return func(w http.ResponseWriter) { v.showConsent(w, st, nil) }, nil
	}
	v.record.Cause = ""
	if v.tx.Request.Client == "" {
		return v.sendTo(accountPath, nil), nil
	}
	return v.finish(st)
}

// step does what a person said on a page. A page of an earlier turn, or that was
// made for another session, says nothing any more.
func (v *visit) step() (reply, error) {
	if v.params["turn"] != strconv.Itoa(v.tx.Turn) {
		return nil, refusedBecause("step_expired", errors.New("the page is of another turn"))
	}
	switch step := v.params["step"]; {
	case step == "deny" && v.tx.Request.Client != "":
		return v.deny(nil)
	case step == "login":
		return v.logIn()
	case step == "organization" || step == "consent":
		if v.session == nil || v.params["session"] != v.session.mark() {
			return nil, refused("session_ended", "")
		}
		st, err := v.stand(v.tx)
		if err != nil {
			return nil, err
		}
		if step == "organization" {
			return v.chooseOrganization(st)
		}
		return v.consent(st)
	}
	return nil, refused("form_malformed", "step")
}

// take goes one turn on. Of all who answer a page, one does.
func (v *visit) take(change func(*transaction)) error {
	err := v.server.state.Transactions().step(v, v.attempt, v.tx, change)
	if errors.Is(err, ErrSpent) {
		return refusedBecause("step_expired", errors.New("the page was answered at the same time"))
	}
	return err
}

// next sends the browser to the page that comes now.
func (v *visit) next() reply {
	v.record.Cause = "no code yet: a step was done"
	return func(w http.ResponseWriter) { sendBack(w, v.tx.address(v.server.state)) }
}

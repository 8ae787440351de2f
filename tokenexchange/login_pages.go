package tokenexchange

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
	"github.com/scopegate/scopegate/tokenexchange/internal/pages"
)

// form is what every page of the transaction sends with each of its buttons.
func (v *visit) form(more ...pages.Field) pages.Form {
	fields := []pages.Field{{Name: "transaction", Value: v.tx.text(v.server.state)}, {Name: "turn", Value: strconv.Itoa(v.tx.Turn)}}
	if v.session != nil {
		fields = append(fields, pages.Field{Name: "session", Value: v.session.mark()})
	}
	return pages.Form{Action: authorizePath, Fields: append(fields, more...)}
}

// show shows a page of the transaction. Its form can lead to the client and on from
// there, since the answer of the last step does.
func (v *visit) show(w http.ResponseWriter, status int, page pages.Page) {
	o := pages.Options{Locales: v.tx.Request.Locales}
	if c := v.server.realm.clients[v.tx.Request.Client]; c != nil {
		o.Targets = c.leadsOn(v.tx.Request.RedirectURI)
	}
	v.server.show(w, v.request, status, page, o)
}

// showLogin asks who it is, again if what was said was refused.
func (v *visit) showLogin(w http.ResponseWriter, e *Refused) {
	page := pages.Login{
		Form: v.form(), Client: v.clientName(), Password: v.server.realm.users.passwords(),
		Username:  cmp.Or(v.params["username"], v.tx.Request.LoginHint),
		Providers: v.providers(),
	}
	page.Problem, page.Wait = problem(w, e)
	v.show(w, statusOf(e), page)
}

func (v *visit) showOrganizations(w http.ResponseWriter, st standing) {
	page := pages.Organizations{Form: v.form(), Client: v.clientName(), User: v.user.account()}
	for _, id := range st.orgs {
		page.Orgs = append(page.Orgs, pages.Org{ID: id, Name: v.server.realm.orgName(id), Chosen: id == v.user.DefaultOrg})
	}
	v.show(w, http.StatusOK, page)
}

func (v *visit) showConsent(w http.ResponseWriter, st standing, e *Refused) {
	c := st.client
	page := pages.Consent{
		Form: v.form(pages.Field{Name: "offer", Value: st.mark}), Client: v.clientName(), Destination: destination(v.tx.Request.RedirectURI),
		User: v.user.account(), Org: v.server.realm.orgName(st.org),
		Roles: st.offer.roles, AccessLife: c.AccessValidity, Offline: st.draft.HasScope(mint.Offline), Again: !c.assured(v.tx.Request.RedirectURI),
	}
	page.Services, page.Scopes = st.offer.view(st.ticked)
	if c.refreshes() {
		page.RefreshLife = c.refreshValidity
	}
	page.Problem, _ = problem(w, e)
	v.show(w, statusOf(e), page)
}

// problem is what a page says that is shown again.
func problem(w http.ResponseWriter, e *Refused) (reason string, wait int) {
	if e == nil {
		return "", 0
	}
	if e.Reason == "too_many_attempts" {
		wait = e.retryIn()
		w.Header().Set("Retry-After", strconv.Itoa(wait))
	}
	return string(e.Reason), wait
}

func statusOf(e *Refused) int {
	if e == nil {
		return http.StatusOK
	}
	return answers[e.Reason].status
}

func (v *visit) clientName() string {
	if c := v.server.realm.clients[v.tx.Request.Client]; c != nil {
		return c.displayName
	}
	return ""
}

// destination is what a person can know of where the answer goes.
func destination(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return ""
	case u.Scheme == "https" || u.Scheme == "http":
		return u.Host
	}
	return u.Scheme // An app has its own, whatever stands behind it.
}

// showFailure tells a person why it does not go on, in the languages that the
// client asked for: tags, the best first.
func (s *Server) showFailure(w http.ResponseWriter, r *http.Request, e *Refused, id, back, tags string) {
	a, known := answers[e.Reason]
	if !known {
		a = answers["server_error"]
	}
	page := pages.Failure{Reason: string(e.Reason), Text: a.describe(e), DecisionID: id, RetryURL: back}
	switch a.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		page.Wait = e.retryIn()
		w.Header().Set("Retry-After", strconv.Itoa(page.Wait))
	}
	s.show(w, r, a.status, page, pages.Options{Locales: tags})
}

// orgName is how people call an organization.
func (r *Realm) orgName(id string) string { return cmp.Or(r.users.orgs[id].DisplayName, id) }

// passwords reports whether anybody can log in with one.
func (d *Directory) passwords() bool {
	for _, u := range d.bySubject {
		if u.hash.usable() {
			return true
		}
	}
	return false
}

// refreshes reports whether the client can renew tokens.
func (c *client) refreshes() bool { return slices.Contains(c.grants, refreshToken) }

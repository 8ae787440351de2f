package tokenexchange

import (
	"cmp"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/pages"
)

// departed is what a transaction remembers of a browser that went to log in at
// another provider. There is one at a time: who goes again comes back from there.
type departed struct {
	Provider string    `json:"provider"` // the domain of its users
	Issuer   string    `json:"issuer"`   // which another one may have the domain of by then
	State    string    `json:"state"`    // the random part of what comes back
	Nonce    string    `json:"nonce"`
	Verifier string    `json:"verifier"`
	Left     time.Time `json:"left"`
	Anew     bool      `json:"anew,omitempty"`    // the person was to log in anew
	Session  string    `json:"session,omitempty"` // the mark of the one who was logged in
}

// providers are the links to where else people can log in.
func (v *visit) providers() (list []pages.Provider) {
	for domain, p := range v.server.realm.providers {
		list = append(list, pages.Provider{Name: p.name, URL: v.tx.address(v.server.state) + "&provider=" + domain})
	}
	slices.SortFunc(list, func(a, b pages.Provider) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.URL, b.URL))
	})
	return list
}

// depart sends the browser to another provider to log in. What it takes along is
// in the record before the browser has it.
func (v *visit) depart() (reply, error) {
	s := v.server
	domain := v.params["provider"]
	p, provider := s.realm.providers[domain], s.logins[domain]
	if p == nil || provider == nil {
		return nil, refused("provider_unknown", "")
	}
	if err := s.mayBegin(v); err != nil {
		return nil, err
	}
	d := departed{
		Provider: domain, Issuer: p.settings.Issuer, State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(),
		Left: inMillis(s.now()), Anew: v.tx.demandsLogin(),
	}
	if v.session != nil {
		d.Session = v.session.mark()
	}
	q := &v.tx.Request
	out := Departure{
		State: v.tx.text(s.state) + "." + d.State, Nonce: d.Nonce, Verifier: d.Verifier, Fresh: d.Anew,
		MaxAge: q.maxAge(), LoginHint: q.LoginHint, Locales: q.Locales,
	}
	to, err := provider.Begin(v, out)
	if err != nil {
		return nil, providerFault(err)
	}
	if err := v.take(func(tx *transaction) { tx.Departed = &d }); err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter) { sendBack(w, to) }, nil
}

// demandsLogin reports whether the person has to log in anew, wherever that is.
func (tx *transaction) demandsLogin() bool {
	q := &tx.Request
	return tx.Anew || q.prompts(promptLogin) || q.MaxAge != nil && *q.MaxAge == 0
}

// maxAge is how long ago the login may be, nil for any time.
func (q *authorizationRequest) maxAge() *time.Duration {
	if q.MaxAge == nil {
		return nil
	}
	age := time.Duration(*q.MaxAge) * time.Second
	return &age
}

// providerFault gives the reason of an error of a LoginProvider.
func providerFault(err error) error {
	switch {
	case errors.Is(err, ErrProviderUnavailable):
		return &Refused{Reason: "provider_unavailable", wait: ProviderPause, cause: err}
	case errors.Is(err, ErrProviderAnswer):
		return refusedBecause("provider_answer", err)
	case errors.As(err, new(*LoginDenied)):
		return refusedBecause("provider_denied", err)
	}
	return err
}

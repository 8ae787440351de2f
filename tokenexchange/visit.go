package tokenexchange

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// visit is one request of a person's browser to the pages of a login.
type visit struct {
	context.Context
	server  *Server
	request *http.Request
	record  *Record
	attempt Attempt

	params  parameters
	ticked  map[string][]string // the boxes of a form, by name
	browser string              // which browser it is, "" before it was told
	session *session            // who is logged in, nil for nobody
	user    *User               // as the users are now, nil for nobody

	tx      *transaction         // that the request goes on with, nil for none
	asked   authorizationRequest // that is answered
	cookies []*http.Cookie       // that the answer sets
	again   func(http.ResponseWriter, *Refused)
	usedUp  bool   // the address that the browser came to works no more
	retry   string // the page on which a person can go on, "" for that of the transaction
}

// visited answers a request of a browser, when it is known who is logged in there.
func (s *Server) visited(w http.ResponseWriter, r *http.Request, endpoint string, serve func(*visit) (reply, error)) {
	s.received(w, r, endpoint, func(v *visit) (reply, error) {
		if err := v.recognize(); err != nil {
			return nil, err
		}
		return serve(v)
	})
}

// received answers a request of a browser: with a page, or by sending it on. What
// is refused is told to the person, and to the client where it concerns it.
func (s *Server) received(w http.ResponseWriter, r *http.Request, endpoint string, serve func(*visit) (reply, error)) {
	v := &visit{server: s}
	s.conclude(w, r, endpoint, func(r *http.Request, rec *Record, _ func() (parameters, error)) (reply, error) {
		v.Context, v.request, v.record = r.Context(), r, rec
		if err := v.read(w); err != nil {
			return nil, err
		}
		// A form that came slowly would otherwise be judged by what was in force when
		// it began: a password that was replaced meanwhile would still log in.
		v.server = s.inForce()
		defer v.server.leave()
		write, err := serve(v)
		return v.withCookies(write), err
	}, v.refused)
}

// read reads the parameters of a query or of a form, as strictly as those of a
// token request.
func (v *visit) read(w http.ResponseWriter) (err error) {
	if v.attempt, err = v.server.state.NewAttempt(); err != nil {
		return err
	}
	if v.request.Method != http.MethodPost {
		v.params, err = queryOf(v.request)
		return err
	}
	var body []byte
	inTime(w, func() { body, err = readFormBody(v.request) })
	if err != nil {
		return err
	}
	if v.params, v.ticked, err = readBoxes(body); err != nil {
		return err
	}
	return nil
}

// queryOf reads the parameters of a GET. Those that a request may not have are
// found when it is known whom to tell.
func queryOf(r *http.Request) (parameters, error) {
	if len(r.URL.RawQuery) > maxBody {
		return nil, refused("body_too_large", "")
	}
	return readForm([]byte(r.URL.RawQuery))
}

// readFormBody reads what a form sent.
func readFormBody(r *http.Request) ([]byte, error) {
	kind, err := bodyKind(r)
	if err == nil && kind != formKind {
		err = refused("content_type", "")
	}
	if err != nil {
		return nil, err
	}
	return bodyOf(r)
}

// boxNames are the names of which a page has several boxes.
var boxNames = []string{"grant", "scope"}

// readBoxes reads a form. One that goes on with a transaction may have several
// boxes of a name; all else is there once.
func readBoxes(body []byte) (parameters, map[string][]string, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil || values.Get("transaction") == "" {
		p, err := readForm(body)
		return p, nil, err
	}
	ticked := map[string][]string{}
	for _, name := range boxNames {
		ticked[name] = values[name]
		if slices.ContainsFunc(values[name], func(v string) bool { return !utf8.ValidString(v) }) {
			return nil, nil, refusedBecause("body_malformed", errors.New("not UTF-8"))
		}
		delete(values, name)
	}
	p, err := readForm([]byte(values.Encode()))
	return p, ticked, err
}

// recognize finds out which browser it is, and who is logged in there.
func (v *visit) recognize() (err error) {
	v.browser = cookieOf(v.request, browserCookie)
	if cookie := cookieOf(v.request, sessionCookie); cookie != "" {
		v.session, v.user, err = v.server.loggedIn(v, cookie)
	}
	if v.session != nil && v.session.AuthTime.After(v.server.now().Add(settled)) {
		v.session, v.user = nil, nil // No revocation by time would name it, as it names no such token.
	}
	if v.session != nil {
		v.record.Subject = v.session.Subject
	}
	return err
}

// loggedIn returns the session of a cookie and its user as they are now, nil if
// there is none, or it has ended in any way. One that lies ahead of the clock has
// not: it counts for nothing, but a logout ends it.
func (s *Server) loggedIn(ctx context.Context, cookie string) (*session, *User, error) {
	in, err := s.state.Sessions().find(ctx, cookie)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrStateCorrupt):
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case s.revocations.unknown(in.AuthTime):
		return nil, nil, errRevocationsUnread
	case s.revocations.named(in.identifiers()) != "", s.realm.dead(in.Subject, in.AuthTime) != "":
		return nil, nil, nil
	}
	user, err := s.person(ctx, in.Subject)
	if err != nil || user == nil || user.Disabled || cmp.Or(user.source(), byPassword) != in.Method {
		return nil, nil, err
	}
	return in, user, nil
}

// know gives the browser a name that nobody else can know, unless it has one.
func (v *visit) know() {
	if v.browser == "" {
		v.browser = rand.Text()
		v.cookies = append(v.cookies, newCookie(browserCookie, v.browser))
	}
}

// sameSite refuses a form that another site sent in the person's name.
func (v *visit) sameSite() error {
	if err := otherSites.Check(v.request); err != nil {
		return refusedBecause("request_forged", err)
	}
	return nil
}

func (v *visit) withCookies(write reply) reply {
	if write == nil {
		return nil
	}
	return func(w http.ResponseWriter) {
		v.setCookies(w)
		write(w)
	}
}

func (v *visit) setCookies(w http.ResponseWriter) {
	for _, c := range v.cookies {
		http.SetCookie(w, c)
	}
}

// sendTo sends the browser to another of our pages.
func (v *visit) sendTo(path string, query url.Values) reply {
	return func(w http.ResponseWriter) { sendBack(w, strings.TrimSuffix(path+"?"+query.Encode(), "?")) }
}

// ofPerson are the reasons that a person can do something about, here. The client
// is not told of them.
var ofPerson = []Reason{
	"step_expired", "transaction_unknown", "session_ended", "request_forged", "form_malformed",
	"provider_unknown", "provider_answer", "provider_login_old", "no_mapping", "account_taken",
}

// refused tells the client of a request that it gets no code, or else the person.
func (v *visit) refused(w http.ResponseWriter, r *http.Request, e *Refused, id string) {
	v.setCookies(w)
	w.Header().Set(decisionHeader, id)
	status := answers[e.Reason].status
	// What passes by itself is shown, so that the person can try again; but not if
	// nobody can, or nobody looks, since the client asked for no page.
	passes := (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) && !v.asked.prompts(promptNone) && !v.usedUp
	switch {
	case v.again != nil && status < http.StatusInternalServerError:
		v.again(w, e)
	case v.asked.redirectable() && !passes && !slices.Contains(ofPerson, e.Reason):
		sendBack(w, v.asked.refusal(v.server.realm.issuer, e))
	default:
		v.server.showFailure(w, r, e, id, v.back(), v.languages())
	}
}

// languages are those that the client asked for, also in a request that is not good.
func (v *visit) languages() string {
	if v.tx != nil {
		return v.tx.Request.Locales
	}
	return locales(v.params["ui_locales"])
}

// back is the page on which a person can go on, "" for none.
func (v *visit) back() string {
	if v.tx == nil || v.tx.Done {
		return v.retry
	}
	return v.tx.address(v.server.state)
}

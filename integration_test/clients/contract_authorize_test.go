package clients

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/scopegate/scopegate/tokenexchange"
)

const (
	authorizePath = "/oauth2/authorize"
	discoveryPath = "/csp/gateway/discovery"
	callbackPath  = "/oauth2/callback/corp"
	accountPath   = "/oauth2/account"
)

// authorize is an authorization request of web, by GET.
func authorize(path string, changed ...string) question {
	return question{method: http.MethodGet, path: path + "?" + encode(asking(changed...)...)}
}

// browser is one that keeps cookies.
type browser struct {
	c       *contract
	cookies map[string]string
}

func (c *contract) browser() *browser { return &browser{c: c, cookies: map[string]string{}} }

// carrying returns a question as this browser sends it.
func (b *browser) carrying(q question) question {
	var all []string
	for name, value := range b.cookies {
		all = append(all, name+"="+value)
	}
	return q.with("Cookie", strings.Join(all, "; ")).with("Origin", "")
}

// ask sends a question and wants a status.
func (b *browser) ask(status int, q question) exchanged {
	b.c.t.Helper()
	got := b.c.ask(b.carrying(q))
	if got.Status != status {
		b.c.t.Fatalf("%s %s, %s: got %d, want %d: %s", q.method, q.path, q.body, got.Status, status, got.Answer)
	}
	set := http.Response{Header: got.Headers}
	for _, cookie := range set.Cookies() {
		if b.cookies[cookie.Name] = cookie.Value; cookie.MaxAge < 0 {
			delete(b.cookies, cookie.Name)
		}
	}
	return got
}

// location is where an answer sends the browser.
func (e exchanged) location() string { return strings.Join(e.Headers["Location"], "") }

// page goes where an answer sends the browser, and wants a page there.
func (b *browser) page(from exchanged) exchanged {
	b.c.t.Helper()
	return b.ask(http.StatusOK, question{method: http.MethodGet, path: from.location()})
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	tickedBox   = regexp.MustCompile(`<input type="checkbox" name="([^"]*)" value="([^"]*)" checked>`)
)

// button is what a button of a page sends, with all that is ticked.
func button(page exchanged, path, step string, more ...string) question {
	form := page.Answer
	if at := strings.Index(form, `value="`+step+`"`); at >= 0 {
		form = form[:at]
		form = form[strings.LastIndex(form, "<form"):]
	}
	params := []string{"step", step}
	for _, field := range append(hiddenField.FindAllStringSubmatch(form, -1), tickedBox.FindAllStringSubmatch(form, -1)...) {
		params = append(params, html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	return question{
		method: http.MethodPost, path: path, body: encode(append(params, more...)...),
		sent: map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"},
	}
}

// logIn goes from an authorization request of web to the question for consent.
func (b *browser) logIn(from question) exchanged {
	b.c.t.Helper()
	login := b.page(b.ask(http.StatusSeeOther, from))
	b.ask(http.StatusBadRequest, button(login, authorizePath, "login", "username", "alice", "password", "wrong"))
	orgs := b.page(b.ask(http.StatusSeeOther, button(login, authorizePath, "login", "username", "alice", "password", password)))
	return b.page(b.ask(http.StatusSeeOther, button(orgs, authorizePath, "organization", "organization", "acme")))
}

// answered wants a redirect to the callback of web, with a code or an error.
func (b *browser) answered(name, value string, got exchanged) string {
	b.c.t.Helper()
	at, err := url.Parse(got.location())
	q := at.Query()
	if err != nil || !strings.HasPrefix(got.location(), callback+"?") || value != "" && q.Get(name) != value || q.Get(name) == "" || q.Get("iss") != b.c.issuer || q.Get("state") != "the-state" {
		b.c.t.Errorf("sent to %s, want %s=%s", got.location(), name, value)
	}
	return q.Get(name)
}

// walkAuthorizations logs alice in, in browsers of her own, and has her decide.
func (c *contract) walkAuthorizations() {
	b := c.browser()
	consent := b.logIn(authorize(authorizePath))
	granted := b.ask(http.StatusSeeOther, button(consent, authorizePath, "consent"))
	code := b.answered("code", "", b.ask(http.StatusSeeOther, question{method: http.MethodGet, path: granted.location()}))
	c.granted(redeem(tokenPaths[0], code))
	// The same is granted without a question, also where it was pushed or posted.
	b.answered("code", "", b.ask(http.StatusSeeOther, authorize(authorizePath)))
	b.answered("code", "", b.ask(http.StatusSeeOther, question{method: http.MethodGet, path: discoveryPath + "?" + encode("client_id", "web", "request_uri", c.pushed(push()))}))
	posted := b.ask(http.StatusSeeOther, form(authorizePath, "", asking()...).with("Sec-Fetch-Site", "cross-site"))
	b.answered("code", "", b.ask(http.StatusSeeOther, question{method: http.MethodGet, path: posted.location()}))
	b.ask(http.StatusSeeOther, form(authorizePath, "", "client_id", "web", "request_uri", c.pushed(push())).with("Sec-Fetch-Site", "cross-site"))

	b.accounts()
	b = c.browser()
	consent = b.logIn(authorize(discoveryPath, "prompt", "consent"))
	page := question{method: http.MethodGet, path: discoveryPath + "?" + encode("transaction", hidden(consent, "transaction"))}
	b.ask(http.StatusOK, page)
	b.answered("error", "access_denied", b.ask(http.StatusSeeOther, button(consent, authorizePath, "deny")))
	c.mistaken()
}

// hidden is a field of a page that nobody sees.
func hidden(page exchanged, name string) string {
	for _, field := range hiddenField.FindAllStringSubmatch(page.Answer, -1) {
		if field[1] == name {
			return html.UnescapeString(field[2])
		}
	}
	return ""
}

// accounts looks at the lists of a person who is logged in, and ends all.
func (b *browser) accounts() {
	lists := question{method: http.MethodGet, path: accountPath}
	b.c.browser().ask(http.StatusSeeOther, lists)
	page := b.ask(http.StatusOK, lists)
	b.ask(http.StatusBadRequest, question{method: http.MethodGet, path: accountPath + "?x=1&x=2"})
	b.ask(http.StatusBadRequest, button(page, accountPath, "revoke").with("Sec-Fetch-Site", "cross-site"))
	b.ask(http.StatusOK, button(page, accountPath, "revoke"))
	b.ask(http.StatusOK, button(page, accountPath, "logout"))
	b.ask(http.StatusBadRequest, button(page, accountPath, "logout"))
}

// mistaken makes the mistakes of authorization requests.
func (c *contract) mistaken() {
	b := c.browser()
	for _, path := range []string{authorizePath, discoveryPath} {
		b.answered("error", "login_required", b.ask(http.StatusSeeOther, authorize(path, "prompt", "none")))
		b.answered("error", "unsupported_response_type", b.ask(http.StatusSeeOther, authorize(path, "response_type", "token")))
		b.answered("error", "request_not_supported", b.ask(http.StatusSeeOther, authorize(path, "request", "x")))
		b.ask(http.StatusBadRequest, authorize(path, "client_id", "nobody"))
		b.ask(http.StatusBadRequest, authorize(path, "redirect_uri", callback+"/"))
		b.ask(http.StatusBadRequest, question{method: http.MethodGet, path: path + "?client_id=web&client_id=web"})
		b.ask(http.StatusBadRequest, question{method: http.MethodGet, path: path + "?transaction=x"})
	}
	b.answered("error", "invalid_scope", b.ask(http.StatusSeeOther, form(authorizePath, "", asking("scope", "more")...)))
	b.ask(http.StatusBadRequest, form(authorizePath, "", asking("redirect_uri", callback+"/")...))
	b.ask(http.StatusBadRequest, question{method: http.MethodGet, path: callbackPath + "?" + encode("state", "x", "code", "x")})
}

// beginnings are requests that begin a login, of each method and path that do.
func beginnings() []question {
	return []question{
		authorize(authorizePath), authorize(discoveryPath), form(authorizePath, "", asking()...), {method: http.MethodGet, path: accountPath},
	}
}

// visits are requests of a browser, of each method and path of the pages.
func visits() []question {
	return append(beginnings(),
		question{method: http.MethodGet, path: callbackPath + "?state=x"},
		form(accountPath, "", "step", "logout", "session", "x").with("Sec-Fetch-Site", "same-origin"))
}

// begun begins logins from one address until there are too many.
func (c *contract) begun() {
	c.t.Helper()
	from := func(q question) question { return q.with("X-Forwarded-For", "10.255.255.2").with("Origin", "") }
	// Five a second may begin: a slow machine has to ask many at once.
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			for range 20 {
				c.ask(from(authorize(authorizePath)))
			}
		})
	}
	all.Wait()
	for _, q := range beginnings() {
		c.slowed(400, func() exchanged { return c.ask(from(q)) })
	}
}

// visited asks a server for all of the pages, as a browser that was logged in.
func (b *browser) visited(status int, ask func(question) exchanged) {
	b.c.t.Helper()
	for _, q := range visits() {
		if got := ask(b.carrying(q)); got.Status != status {
			b.c.t.Errorf("%s %s: got %d %s, want %d", q.method, q.path, got.Status, got.Answer, status)
		}
	}
}

// faultyVisits asks for all pages where there are no random numbers.
func (c *contract) faultyVisits(broken *tokenexchange.Server) {
	c.t.Helper()
	c.browser().visited(http.StatusInternalServerError, func(q question) exchanged { return c.askWithin(broken, q) })
}

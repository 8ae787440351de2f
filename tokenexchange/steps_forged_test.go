package tokenexchange

import (
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"
)

// stored is all that lives in the store.
func (h *house) stored() map[string]string {
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	all := map[string]string{}
	for key, v := range h.store.values {
		if v.exp > h.clock.UnixMilli() {
			all[key] = string(v.val)
		}
	}
	return all
}

// inert does something that must change nothing of what is stored.
func (h *house) inert(do func()) {
	h.t.Helper()
	before := h.stored()
	do()
	if after := h.stored(); !maps.Equal(before, after) {
		h.t.Errorf("the store changed: %d records before, %d after", len(before), len(after))
	}
}

// otherSite are the ways in which browsers say that another site sent a form.
var otherSite = map[string]map[string]string{
	"another site":              {"Sec-Fetch-Site": "cross-site"},
	"another site of ours":      {"Sec-Fetch-Site": "same-site"},
	"a word of the future":      {"Sec-Fetch-Site": "elsewhere"},
	"with our origin":           {"Sec-Fetch-Site": "cross-site", "Origin": "http://example.com"},
	"an old browser":            {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
	"a frame without an origin": {"Sec-Fetch-Site": "", "Origin": "null"},
	"another port":              {"Sec-Fetch-Site": "", "Origin": "http://example.com:8080"},
	"a host that begins so":     {"Sec-Fetch-Site": "", "Origin": "http://example.com.evil.example"},
}

func headers(set map[string]string) func(*http.Request) {
	return func(r *http.Request) {
		for name, value := range set {
			if r.Header.Del(name); value != "" {
				r.Header.Set(name, value)
			}
		}
	}
}

// atStep are browsers at each page, and what its buttons send.
var atStep = map[string]func(h *house) (*browser, []filled){
	"login": func(h *house) (*browser, []filled) {
		b := h.browser().open(authorizeURL()).sees("login")
		return b, []filled{b.fill("login", "username", "ada", "password", password), b.fill("deny")}
	},
	"organization": func(h *house) (*browser, []filled) {
		b := h.browser().open(authorizeURL()).logIn("ada").sees("organization")
		return b, []filled{b.fill("organization", "organization", "acme"), b.fill("deny")}
	},
	"consent": func(h *house) (*browser, []filled) {
		b := h.consenting("ada", "acme")
		return b, []filled{b.allowing(), b.allowing(boxCRM), b.fill("deny")}
	},
	"account": func(h *house) (*browser, []filled) {
		h.consenting("ada", "acme").allow().granted()
		b := h.browser().open(accountPath).logIn("ada").sees("account")
		return b, []filled{b.fill("logout"), b.fill("revoke", "id", "web acme"), b.fill("end-session", "id", b.sessions()[1])}
	},
}

// TestFormsOfOtherSites do nothing, whichever step they are.
func TestFormsOfOtherSites(t *testing.T) {
	for step, there := range atStep {
		t.Run(step, func(t *testing.T) {
			h := newHouse(t, logins)
			b, forms := there(h)
			page := b.page
			for _, form := range forms {
				for name, set := range otherSite {
					t.Log(name, form.values.Get("step"))
					h.inert(func() { b.submit(form, headers(set)).turnedDown(400, "request_forged") })
				}
			}
			// The page itself works as before.
			b.page = page
			if b.submit(forms[0]); b.reason() != "allowed" {
				t.Errorf("got %d %v", b.code, b.record())
			}
		})
	}
}

// TestFormsSentAgain do nothing once they were taken.
func TestFormsSentAgain(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(authorizeURL()).sees("login")
	var old []filled
	again := func(want string) {
		t.Helper()
		tab := b.tab()
		for _, form := range old {
			h.inert(func() { tab.submit(form).turnedDown(400, want) })
		}
	}
	old = append(old, b.fill("login", "username", "ada", "password", password), b.fill("deny"))
	b.submit(old[0]).sees("organization")
	again("step_expired")
	old = append(old, b.fill("organization", "organization", "acme"), b.fill("organization", "organization", "beta"), b.fill("deny"))
	b.submit(old[2]).sees("consent")
	again("step_expired")
	old = append(old, b.allowing(), b.allowing(boxCRM), b.fill("deny"))
	page := b.tab()
	page.at, page.page = b.at, b.page
	b.submit(old[5]).granted()
	again("step_expired")
	h.inert(func() { b.tab().open(page.at).turnedDown(400, "step_expired") })

	b = h.browser().open(authorizeURL()).sees("login")
	old = []filled{b.fill("deny"), b.fill("login", "username", "ada", "password", password)}
	b.submit(old[0]).denied("access_denied", "access_denied")
	again("step_expired")
}

// TestFormsOutOfOrder presses the button of another page.
func TestFormsOutOfOrder(t *testing.T) {
	other := func(b *browser, field string) string { return b.h.consenting("ada", "beta").fields().Get(field) }
	for name, c := range map[string]struct {
		at     string
		form   func(*browser) filled
		reason string
	}{
		"consent before the login":         {"login", func(b *browser) filled { return b.fill("consent", "grant", boxRead) }, "session_ended"},
		"an organization before the login": {"login", func(b *browser) filled { return b.fill("organization", "organization", "acme") }, "session_ended"},
		"consent before the organization":  {"organization", func(b *browser) filled { return b.fill("consent", "grant", boxRead) }, "step_expired"},
		"consent with the offer of another login": {"organization", func(b *browser) filled {
			return b.fill("consent", "grant", boxRead, "offer", other(b, "offer"))
		}, "step_expired"},
		"an organization after it was chosen":    {"consent", func(b *browser) filled { return b.fill("organization", "organization", "beta") }, "step_expired"},
		"an organization that is not the user's": {"organization", func(b *browser) filled { return b.fill("organization", "organization", "other") }, "form_malformed"},
		"no organization":                        {"organization", func(b *browser) filled { return b.fill("organization") }, "form_malformed"},
		"a step that does not exist":             {"consent", func(b *browser) filled { return b.fill("grant") }, "form_malformed"},
		"no step":                                {"consent", func(b *browser) filled { return b.fill("") }, "form_malformed"},
		"the turn before":                        {"consent", func(b *browser) filled { return b.allowing().with("turn", "1") }, "step_expired"},
		"the next turn":                          {"consent", func(b *browser) filled { return b.allowing().with("turn", "3") }, "step_expired"},
		"no turn":                                {"login", func(b *browser) filled { return b.fill("deny").with("turn", "") }, "step_expired"},
		"the turn in another spelling":           {"login", func(b *browser) filled { return b.fill("deny").with("turn", "00") }, "step_expired"},
		"no session":                             {"consent", func(b *browser) filled { return b.allowing().with("session", "") }, "session_ended"},
		"the mark of another session":            {"consent", func(b *browser) filled { return b.allowing().with("session", other(b, "session")) }, "session_ended"},
		"no transaction":                         {"consent", func(b *browser) filled { return b.allowing().with("transaction", "x") }, "transaction_unknown"},
		"the transaction of another browser": {"consent", func(b *browser) filled {
			return b.allowing().with("transaction", other(b, "transaction"))
		}, "transaction_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, logins)
			b, _ := atStep[c.at](h)
			form, page := c.form(b), b.page
			h.inert(func() { b.submit(form).turnedDown(400, c.reason) })
			b.page = page
			if c.at == "consent" {
				b.allow().granted()
			}
		})
	}
}

// TestFormsThatNoPageSends are refused whole.
func TestFormsThatNoPageSends(t *testing.T) {
	h := newHouse(t, logins, func(c *Config) { c.client("web").Required = *lines("shop/orders.read orders/**") })
	b := h.consenting("ada", "acme")
	good := b.allowing()
	add := func(name, value string) filled {
		f := good.with()
		f.values.Add(name, value)
		return f
	}
	for name, c := range map[string]struct {
		form   filled
		reason string
	}{
		"a right that is not offered":    {add("grant", "shop/orders.write orders/**"), "form_malformed"},
		"a wider one":                    {add("grant", "shop/orders.read **"), "form_malformed"},
		"one twice":                      {add("grant", boxCRM), "form_malformed"},
		"what is fixed":                  {add("grant", boxRead), "form_malformed"},
		"nonsense":                       {add("grant", "on"), "form_malformed"},
		"an empty box":                   {add("grant", ""), "form_malformed"},
		"a word that is not offered":     {add("scope", "admin"), "form_malformed"},
		"a word twice":                   {add("scope", "email"), "form_malformed"},
		"the word that is fixed":         {add("scope", "openid"), "form_malformed"},
		"a right among the words":        {add("scope", boxCRM), "form_malformed"},
		"the step twice":                 {add("step", "deny"), "parameter_repeated"},
		"the turn twice":                 {add("turn", "2"), "parameter_repeated"},
		"the transaction twice":          {add("transaction", good.values.Get("transaction")), "parameter_repeated"},
		"the session twice":              {add("session", good.values.Get("session")), "parameter_repeated"},
		"a name twice that nobody reads": {filled{good.action, func() map[string][]string { f := add("x", "1"); f.values.Add("x", "2"); return f.values }()}, "parameter_repeated"},
		"no UTF-8":                       {add("grant", "\xff"), "body_malformed"},
		"no offer":                       {good.with("offer", ""), "offer_changed"},
		"another offer":                  {good.with("offer", "AAAA"), "offer_changed"},
	} {
		t.Run(name, func(t *testing.T) {
			h.t, b.t = t, t
			h.inert(func() { b.submit(c.form).turnedDown(400, c.reason) })
			if c.reason == "offer_changed" {
				b.sees("consent")
			}
		})
	}
	body := good.values.Encode()
	for name, c := range map[string]struct {
		target, body, reason string
		change               func(*http.Request)
	}{
		"the transaction in the query": {authorizePath + "?transaction=" + good.values.Get("transaction"), body, "query_parameters", nil},
		"an empty query":               {authorizePath + "?", body, "query_parameters", nil},
		"JSON":                         {authorizePath, "{}", "content_type", headers(map[string]string{"Content-Type": "application/json"})},
		"multipart":                    {authorizePath, body, "content_type", headers(map[string]string{"Content-Type": "multipart/form-data; boundary=x"})},
		"no content type":              {authorizePath, body, "content_type", headers(map[string]string{"Content-Type": ""})},
		"two content types":            {authorizePath, body, "content_type", func(r *http.Request) { r.Header.Add("Content-Type", "text/plain") }},
		"too large":                    {authorizePath, body + "&x=" + string(make([]byte, maxBody)), "body_too_large", nil},
		"no form":                      {authorizePath, body + "&%zz", "body_malformed", nil},
	} {
		t.Run(name, func(t *testing.T) {
			h.t, b.t = t, t
			change := slices.DeleteFunc([]func(*http.Request){c.change}, func(f func(*http.Request)) bool { return f == nil })
			h.inert(func() { b.send(http.MethodPost, c.target, c.body, change...).turnedDown(400, c.reason) })
		})
	}
	b.t, h.t = t, t
	b.submit(good).granted()
}

// TestFormsOfOtherSessions sends a form where somebody else is logged in.
func TestFormsOfOtherSessions(t *testing.T) {
	h := newHouse(t, logins)
	a, other := h.consenting("ada", "acme"), h.consenting("ada", "acme")
	form, at := a.allowing(), a.at
	h.inert(func() { other.submit(form).turnedDown(400, "transaction_unknown") })
	h.inert(func() { other.open(at).turnedDown(400, "transaction_unknown") })
	mixed := h.browser()
	mixed.cookies[browserCookie], mixed.cookies[sessionCookie] = a.cookies[browserCookie], other.cookies[sessionCookie]
	h.inert(func() { mixed.submit(form).turnedDown(400, "session_ended") })
	mixed.cookies = map[string]string{sessionCookie: a.cookies[sessionCookie]}
	h.inert(func() { mixed.submit(form).turnedDown(400, "transaction_unknown") })
	mixed.cookies = map[string]string{browserCookie: a.cookies[browserCookie]}
	h.inert(func() { mixed.submit(form).turnedDown(400, "session_ended") })
	h.inert(func() { mixed.open(at).sees("login") })
	// Somebody else logs in, in another tab: what was offered was not offered to them.
	tab := a.tab().open(authorizeURL("prompt", "login")).logIn("two").sees("organization")
	h.inert(func() { a.submit(form).turnedDown(400, "session_ended") })
	tab.open(at)
	tab.sees("organization") // The organization was chosen by somebody else.
}

// TestTransactionIsOver after half an hour.
func TestTransactionIsOver(t *testing.T) {
	for step, there := range atStep {
		if step == "account" {
			continue
		}
		t.Run(step, func(t *testing.T) {
			h := newHouse(t, logins)
			b, forms := there(h)
			h.clock = start.Add(transactionLife - time.Millisecond)
			b.tab().open(b.at).sees(step)
			h.clock = start.Add(transactionLife)
			for _, form := range forms {
				h.inert(func() { b.submit(form).turnedDown(400, "transaction_unknown") })
			}
		})
	}
}

package tokenexchange

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// browser is a browser that visits a house: it keeps cookies, and fills in forms.
type browser struct {
	h       *house
	t       testing.TB
	cookies map[string]string
	at      string // the address of the page
	page    string // its HTML
	code    int
	header  http.Header
}

func (h *house) browser() *browser { return &browser{h: h, t: h.t, cookies: map[string]string{}} }

// send makes one request and follows our own redirects.
func (b *browser) send(method, target, body string, change ...func(*http.Request)) *browser {
	b.t.Helper()
	for range 10 {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		if method == http.MethodPost {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Sec-Fetch-Site", "same-origin")
		}
		for name, value := range b.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		for _, f := range change {
			f(r)
		}
		w := httptest.NewRecorder()
		b.h.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			if b.cookies[c.Name] = secret("a cookie", c.Value); c.MaxAge < 0 {
				delete(b.cookies, c.Name)
			}
		}
		b.at, b.page, b.code, b.header = target, w.Body.String(), w.Code, w.Header()
		to := w.Header().Get("Location")
		if !strings.HasPrefix(to, "/") {
			if to != "" {
				b.at = to
			}
			return b
		}
		method, target, body = http.MethodGet, to, ""
	}
	b.t.Fatal("redirected ten times")
	return b
}

func (b *browser) open(target string) *browser { return b.send(http.MethodGet, target, "") }

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// fields are the hidden ones of the page.
func (b *browser) fields() url.Values {
	out := url.Values{}
	for _, f := range hiddenField.FindAllStringSubmatch(b.page, -1) {
		out.Set(f[1], f[2])
	}
	return out
}

// press sends the form of the page with a button and what was filled in.
func (b *browser) press(step string, kv ...string) *browser {
	b.t.Helper()
	form := b.fields()
	form.Set("step", step)
	for i := 0; i < len(kv); i += 2 {
		form.Add(kv[i], kv[i+1])
	}
	return b.send(http.MethodPost, authorizePath, form.Encode())
}

func authorizeURL(kv ...string) string {
	params := replaced([]string{
		"response_type", "code", "client_id", "web", "redirect_uri", callback, "state", "af0ifjsldkj", "nonce", "n-0S6_WzA2Mj",
		"code_challenge", pkceChallenge, "code_challenge_method", "S256",
	}, kv...)
	q := url.Values{}
	for i := 0; i < len(params); i += 2 {
		if params[i+1] != "" {
			q.Set(params[i], params[i+1])
		}
	}
	return authorizePath + "?" + q.Encode()
}

func (b *browser) logIn(name string) *browser {
	b.t.Helper()
	return b.press("login", "username", name, "password", password)
}

func TestLoginAndConsent(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(authorizeURL())
	t.Log(b.code, b.at, len(b.page))
	b.logIn("ada")
	t.Log(b.code, b.at, b.page)
	b.press("organization", "org", "acme")
	t.Log(b.code, b.at, b.page)
	b.press("consent", "scope", "profile", "grant", "shop/orders.read orders/**")
	t.Log(b.code, b.at, b.page)
}

package tokenexchange

import (
	"bytes"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// browser is a browser that visits a house: it keeps cookies, and fills in forms.
type browser struct {
	h       *house
	t       testing.TB
	cookies map[string]string
	peer    string // its address
	at      string // the address of the page
	page    string // its HTML
	code    int
	header  http.Header
	records []map[string]any // the audit records of what was sent last, with what followed
}

// browser opens a new one.
func (h *house) browser() *browser {
	return &browser{h: h, t: h.t, cookies: map[string]string{}, peer: defaultPeer}
}

// tab opens another tab: the cookies are the same.
func (b *browser) tab() *browser {
	return &browser{h: b.h, t: b.t, cookies: b.cookies, peer: b.peer}
}

// send makes one request and follows our own redirects.
func (b *browser) send(method, target, body string, change ...func(*http.Request)) *browser {
	b.t.Helper()
	b.records = nil
	for range 10 {
		b.once(method, target, body, change...)
		to := b.header.Get("Location")
		if !strings.HasPrefix(to, "/") {
			return b
		}
		method, target, body, change = http.MethodGet, to, "", nil
	}
	b.t.Fatal("redirected ten times")
	return b
}

// once makes one request. It follows nothing.
func (b *browser) once(method, target, body string, change ...func(*http.Request)) {
	b.t.Helper()
	w := httptest.NewRecorder()
	b.h.records.Reset()
	b.h.ServeHTTP(w, b.request(method, target, body, change...))
	for line := range bytes.Lines(b.h.records.Bytes()) {
		var record map[string]any
		if err := json.Unmarshal(line, &record); err != nil {
			b.t.Fatalf("the log is no record: %v\n%s", err, line)
		}
		b.records = append(b.records, record)
	}
	b.take(target, w)
}

// request is what the browser sends.
func (b *browser) request(method, target, body string, change ...func(*http.Request)) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if b.peer != "" {
		r.RemoteAddr = b.peer
	}
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
	return r
}

var transactionName = regexp.MustCompile(`transaction=([^&]+)`)

// take takes an answer in, and keeps what is secret of it.
func (b *browser) take(target string, w *httptest.ResponseRecorder) {
	b.t.Helper()
	for _, c := range w.Result().Cookies() {
		switch {
		case c.MaxAge < 0:
			delete(b.cookies, c.Name)
			continue
		case !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-"):
			b.t.Errorf("a cookie that is not as strict as it can be: %s", c.Raw)
		}
		b.cookies[c.Name] = secret("a cookie", c.Value)
	}
	b.at, b.page, b.code, b.header = target, w.Body.String(), w.Code, w.Header()
	for name, value := range b.cookies {
		if strings.Contains(b.page+b.header.Get("Location"), value) {
			b.t.Errorf("%s: the answer shows the cookie %s", target, name)
		}
	}
	if got := b.header.Get("Cache-Control"); got != "no-store" {
		b.t.Errorf("%s: got Cache-Control %q, want no-store", target, got)
	}
	to := b.header.Get("Location")
	if named := transactionName.FindStringSubmatch(to); named != nil {
		secret("a transaction", named[1])
	}
	if to != "" && !strings.HasPrefix(to, "/") {
		b.at = to
		if u, err := url.Parse(to); err == nil && u.Query().Has("code") {
			secret("a code", u.Query().Get("code"))
		}
	}
}

func (b *browser) open(target string, change ...func(*http.Request)) *browser {
	b.t.Helper()
	return b.send(http.MethodGet, target, "", change...)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// fields are the hidden ones of the first form of the page.
func (b *browser) fields() url.Values {
	form, _, _ := strings.Cut(b.page, "</form>")
	return hiddenFields(form)
}

func hiddenFields(form string) url.Values {
	out := url.Values{}
	for _, f := range hiddenField.FindAllStringSubmatch(form, -1) {
		out.Set(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return out
}

// filled is a form as a button sends it.
type filled struct {
	action string
	values url.Values
}

// with is the form with other values; "" takes a field out.
func (f filled) with(kv ...string) filled {
	values := url.Values{}
	for name, v := range f.values {
		values[name] = slices.Clone(v)
	}
	for i := 0; i < len(kv); i += 2 {
		if values.Del(kv[i]); kv[i+1] != "" {
			values.Set(kv[i], kv[i+1])
		}
	}
	return filled{f.action, values}
}

// fill fills in the form of the page, and presses nothing.
func (b *browser) fill(step string, kv ...string) filled {
	b.t.Helper()
	f := filled{authorizePath, b.fields()}
	if strings.HasPrefix(b.at, accountPath) {
		f.action = accountPath
		f.values.Del("id") // Each button there has its own.
	}
	if len(f.values) == 0 {
		b.t.Fatalf("no form to send %s with: %d %s %s", step, b.code, b.at, b.page)
	}
	f.values.Set("step", step)
	for i := 0; i < len(kv); i += 2 {
		f.values.Add(kv[i], kv[i+1])
	}
	return f
}

// submit sends a form, maybe one of long ago or of another browser.
func (b *browser) submit(f filled, change ...func(*http.Request)) *browser {
	b.t.Helper()
	return b.send(http.MethodPost, f.action, f.values.Encode(), change...)
}

// press sends the form of the page with a button and what was filled in.
func (b *browser) press(step string, kv ...string) *browser {
	b.t.Helper()
	return b.submit(b.fill(step, kv...))
}

// logIn goes to the end of the login page.
func (b *browser) logIn(name string) *browser {
	b.t.Helper()
	return b.press("login", "username", name, "password", password)
}

// choose goes on for an organization.
func (b *browser) choose(org string) *browser {
	b.t.Helper()
	return b.press("organization", "organization", org)
}

var box = regexp.MustCompile(`<input type="checkbox" name="(grant|scope)" value="([^"]*)" checked( disabled)?>`)

// boxes are those of the page that are not fixed, as name and value.
func (b *browser) boxes() (kv []string) {
	for _, m := range box.FindAllStringSubmatch(b.page, -1) {
		if m[3] == "" {
			kv = append(kv, m[1], html.UnescapeString(m[2]))
		}
	}
	return kv
}

// allow presses Allow with all boxes ticked, but for those with these values.
func (b *browser) allow(unticked ...string) *browser {
	b.t.Helper()
	return b.submit(b.allowing(unticked...))
}

// allowing is what allow sends.
func (b *browser) allowing(unticked ...string) filled {
	b.t.Helper()
	boxes, kv := b.boxes(), []string(nil)
	for i := 0; i < len(boxes); i += 2 {
		if !slices.Contains(unticked, boxes[i+1]) {
			kv = append(kv, boxes[i], boxes[i+1])
		}
	}
	if len(boxes)-len(kv) != 2*len(unticked) {
		b.t.Fatalf("the page has not all of %q: %q", unticked, boxes)
	}
	return b.fill("consent", kv...)
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

package tokenexchange

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// FuzzBearer sends arbitrary headers, in which ~ stands for a good token, past
// the first eleven steps of the guard. Whatever they are: the token is in no
// header that goes on, and only one credential in one place is accepted.
func FuzzBearer(f *testing.F) {
	h := newHouse(f)
	g, token := h.shop(f), h.adas()
	const csp, second, withCSP, twoCSP, public = 1, 2, 4, 8, 16
	for _, seed := range []struct {
		mode                                      byte
		auth, auth2, csp, cookie, conn, name, val string
	}{
		{0, "Bearer ~", "", "", "a=1, csp-auth-token=~; b=2", "close, Authorization", "X-Kept", "v"},
		{0, "bEARER    ~", "", "", "CSP_AUTH.TOKEN=\"~\",a=b", "Upgrade", "Upgrade", "h2c"},
		{second, "Bearer ~", "Bearer ~", "", "", "", "Authorization", "Bearer ~"},
		{second, "Basic x", "Bearer ~", "", "", "", "X_Forwarded.Access-Token", "~"},
		{csp | withCSP, "", "", "~", "", "", "Csp_auth_token", "~"},
		{csp | withCSP | twoCSP, "", "", "~", "", "", "X-Copy", "100%zz~"},
		{csp | withCSP, "Bearer ~", "", "~", "", "keep-alive", "authorization ", "~"},
		{csp | withCSP, "Bearer", "", "~", "", "", "X-Copy", ""},
		{withCSP | public, "Bearer ~, Bearer ~", "", "~~", "csp-auth-token=~", ",,", "x-AUTH-request.access_token", "~"},
		{public, "Bearer\t~", "", "", "session=~", "Transfer-Encoding", "Trailer", "Authorization"},
		{0, "~", "", "", ";;=;csp-auth-token", "\x00", "", "~"},
		{0, "Bearer ~ ", "", "", "", "", "Referer", "https://x.example/?t=~"},
	} {
		f.Add(seed.mode, seed.auth, seed.auth2, seed.csp, seed.cookie, seed.conn, seed.name, seed.val)
	}
	f.Fuzz(func(t *testing.T, mode byte, auth, auth2, cspValue, cookie, conn, name, value string) {
		fill := func(s string) string { return strings.ReplaceAll(s, "~", token) }
		target := "/orders/7"
		if mode&public != 0 {
			target = "/healthz"
		}
		r := httptest.NewRequest("GET", target, nil)
		add := func(name, value string, present bool) {
			if present {
				r.Header[name] = append(r.Header[name], fill(value))
			}
		}
		add("Authorization", auth, auth != "")
		add("Authorization", auth2, mode&second != 0)
		add("Csp-Auth-Token", cspValue, mode&withCSP != 0)
		add("Csp-Auth-Token", cspValue, mode&twoCSP != 0)
		add("Cookie", cookie, cookie != "")
		add("Connection", conn, conn != "")
		add(name, value, name != "")
		given := credentialsOf(r.Header, mode&csp != 0)

		p := Take(r, mode&csp != 0)
		cleanAfterTake(t, r.Header)
		if strings.Contains(p.token, "\n") && !strings.Contains(strings.Join(given, ""), "\n") {
			t.Errorf("the credential has bytes that nobody sent: %q", p.token)
		}
		v := g.Decide(r, p)
		if len(given) > 1 && v.Reason != scopes.ReasonTokenAmbiguous {
			t.Errorf("got %s for the credentials %q, want token_ambiguous", v.Reason, given)
		}
		if !v.Allowed() {
			return
		}
		if mode&public == 0 && (len(given) != 1 || given[0] != token) {
			t.Errorf("allowed with the credentials %q", given)
		}
		if !v.Forward(r, p) {
			if r.Header["Authorization"] != nil {
				t.Error("a request that leaks keeps its Authorization")
			}
			return
		}
		upstream := r.Header["Authorization"]
		if want := 1 - int(mode&public)/public; len(upstream) != want {
			t.Errorf("got %d Authorization headers, want %d", len(upstream), want)
		}
		for name, values := range r.Header {
			if text := strings.Join(values, "\n"); p.token == token && strings.Contains(text, token[len(token)-tailLen:]) {
				t.Errorf("the presented token is forwarded in %q", name)
			}
		}
	})
}

// credentialsOf reads the credentials of a request slowly, by page 3.5 of the
// design: each header line of a place that counts is one.
func credentialsOf(h http.Header, csp bool) []string {
	var found []string
	for _, line := range h["Authorization"] {
		scheme, rest := line, ""
		for i := range len(line) {
			if line[i] == ' ' {
				scheme, rest = line[:i], line[i:]
				break
			}
		}
		switch {
		case strings.ToLower(scheme) == "bearer":
			for strings.HasPrefix(rest, " ") {
				rest = rest[1:]
			}
			found = append(found, rest)
		case len(h["Authorization"]) > 1:
			found = append(found, line) // Another scheme beside a second line.
		}
	}
	for _, line := range h["Csp-Auth-Token"] {
		if csp && (len(found) != 1 || found[0] != line || len(h["Csp-Auth-Token"]) > 1) {
			found = append(found, line)
		}
	}
	return found
}

// cleanAfterTake holds that nothing is left that an upstream reads as ours.
func cleanAfterTake(t *testing.T, h http.Header) {
	t.Helper()
	folded := func(s string) string {
		out := []byte(strings.ToLower(s))
		for i, c := range out {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				out[i] = '-'
			}
		}
		return string(out)
	}
	for name := range h {
		for _, ours := range []string{"authorization", "csp-auth-token", "x-original-url", "x-http-method-override", "x-forwarded-access-token", "http2-settings"} {
			if len(folded(name)) == len(name) && folded(name) == ours {
				t.Errorf("the header %q is left", name)
			}
		}
	}
	for _, line := range h["Cookie"] {
		for _, pair := range strings.FieldsFunc(line, func(c rune) bool { return c == ';' || c == ',' }) {
			name, _, _ := strings.Cut(pair, "=")
			if name = strings.TrimSpace(name); len(name) == len(cspHeader) && folded(name) == cspHeader {
				t.Errorf("the cookie is left in %q", line)
			}
		}
	}
	for _, line := range h["Connection"] {
		for option := range strings.SplitSeq(line, ", ") {
			if option != "close" && option != "keep-alive" && option != "upgrade" {
				t.Errorf("Connection still says %q", line)
			}
		}
	}
	if upgrade := h["Upgrade"]; len(upgrade) > 1 || len(upgrade) == 1 && !strings.EqualFold(upgrade[0], "websocket") {
		t.Errorf("Upgrade is still %q", upgrade)
	}
}

package tokenexchange

import (
	"testing"
	"time"
)

// A new login is a new session, whoever had which cookie before.
func TestNewSessionAtAProvider(t *testing.T) {
	h := newHouse(t, logins, federated)
	h.says(clerk)
	b := h.browser().open(authorizeURL()).leave().comeBack()
	first := b.cookies[sessionCookie]
	b.open(authorizeURL("prompt", "login")).leave()
	h.says(clerk)
	if b.comeBack(); b.cookies[sessionCookie] == first || !b.asksConsent() {
		t.Errorf("got %d %s, want another session", b.code, b.at)
	}
	old := &browser{h: h, t: t, cookies: map[string]string{sessionCookie: first}}
	if old.open(authorizeURL()); old.asksConsent() {
		t.Error("the old session goes on")
	}
}

// Where a new login is demanded, the provider has to say when it was.
func TestAuthTimeOfTheProvider(t *testing.T) {
	for _, tc := range []struct {
		name  string
		asked []string
		ago   time.Duration // -1 for no auth_time
		want  bool
	}{
		{"nothing asked, an old login", nil, 40 * time.Hour, true},
		{"nothing asked, nothing said", nil, -1, true},
		{"prompt=login, a new one", []string{"prompt", "login"}, 0, true},
		{"prompt=login, one from before", []string{"prompt", "login"}, time.Minute, false},
		{"prompt=login, nothing said", []string{"prompt", "login"}, -1, false},
		{"max_age, within", []string{"max_age", "60"}, 50 * time.Second, true},
		{"max_age, longer ago", []string{"max_age", "60"}, 100 * time.Second, false},
		{"max_age, nothing said", []string{"max_age", "60"}, -1, false},
		{"max_age=0, one from before", []string{"max_age", "0"}, time.Minute, false},
		{"max_age=0, a new one", []string{"max_age", "0"}, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := newHouse(t, logins, federated)
			p := h.says(clerk)
			b := h.browser().open(authorizeURL(tc.asked...)).leave()
			if fresh := len(tc.asked) > 0 && (tc.asked[0] == "prompt" || tc.asked[1] == "0"); p.departure.Fresh != fresh {
				t.Errorf("Fresh is %v, want %v", p.departure.Fresh, fresh)
			}
			if (p.departure.MaxAge != nil) != (len(tc.asked) > 0 && tc.asked[0] == "max_age") {
				t.Errorf("MaxAge is %v", p.departure.MaxAge)
			}
			if p.identity.AuthTime = h.clock.Add(-tc.ago); tc.ago < 0 {
				p.identity.AuthTime = time.Time{}
			}
			h.records.Reset()
			if b.comeBack(); tc.want != b.asksConsent() {
				t.Fatalf("got %d %s, want a login: %v", b.code, h.records.String(), tc.want)
			}
			if tc.want {
				return
			}
			b.refusesWith(t, 400, "provider_login_old")
			// Who goes again has to log in anew.
			b.provesAnew(p)
		})
	}
}

// When somebody proved who they are: never in the future, where no revocation
// reaches, and where the provider does not say, when it signed.
func TestAuthTimeOfASession(t *testing.T) {
	for name, tc := range map[string]struct{ said, signed, want time.Duration }{
		"its clock is ahead":  {20 * time.Second, 20 * time.Second, 0},
		"it says":             {-time.Hour, 0, -time.Hour},
		"it does not":         {0, -time.Minute, -time.Minute},
		"it signs ahead, too": {0, 20 * time.Second, 0},
	} {
		h := newHouse(t, logins, federated)
		p := h.says(clerk)
		p.identity.IssuedAt = h.clock.Add(tc.signed)
		if p.identity.AuthTime = h.clock.Add(tc.said); tc.said == 0 {
			p.identity.AuthTime = time.Time{}
		}
		access, _ := h.redeem("web", h.browser().open(authorizeURL()).leave().comeBack().sees("consent").allow().granted()).tokens(t)
		if got, want := claimsOf(t, access)["auth_time"], float64(h.clock.Add(tc.want).Unix()); got != want {
			t.Errorf("%s: got auth_time %v, want %v", name, got, want)
		}
	}
}

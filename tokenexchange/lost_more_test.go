package tokenexchange

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestLostWithWhatWasThere changes what the entries of TestLostOfUsers lack.
func TestLostWithWhatWasThere(t *testing.T) {
	const kim, kimRights = `{"id":"kim"`, "sub rights example.com:kim"
	one := ""
	for _, token := range lostRealm(t, asItIs, func(*Config) {}).users.apiTokens {
		if token.id == "one" {
			one = token.grant()
		}
	}
	for _, c := range []struct {
		name, old, before, after string
		want                     []string
	}{
		{"another address that nobody verified", kim, `{"email":"kim@example.com","id":"kim"`, `{"email":"jim@example.com","id":"kim"`, []string{kimRights}},
		{"an address that is verified now, so the account is another one", kim, `{"email":"kim@example.com","id":"kim"`, `{"email":"kim@example.com","email_verified":true,"id":"kim"`, []string{kimRights}},
		{"API token through another client", `"org":"acme","client":"web","permissions":["`, `"org":"acme","client":"web","permissions":["`, `"org":"acme","client":"mobile","permissions":["`, []string{"grant_id rights " + one}},
	} {
		t.Run(c.name, func(t *testing.T) {
			with := func(text string) *Realm {
				return lostRealm(t, func(users string) string {
					if !strings.Contains(users, c.old) {
						t.Fatalf("%q is not in the users file", c.old)
					}
					return strings.Replace(users, c.old, text, 1)
				}, func(cfg *Config) { cfg.client("mobile").APITokens = true })
			}
			var got []string
			for _, r := range Lost(with(c.before), with(c.after), start.Add(time.Second), start) {
				got = append(got, string(r.Kind)+" "+r.Value)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestLossesOutliveWhatWasGiven shortens lives in the same step that takes something
// away: what was given lives as long as it was told.
func TestLossesOutliveWhatWasGiven(t *testing.T) {
	was := lostRealm(t, asItIs, func(c *Config) {
		c.client("web").RefreshTokenValidity, c.client("web").AccessTokenValidity = Duration(720*time.Hour), Duration(72*time.Hour)
	})
	is := lostRealm(t, func(users string) string {
		users = strings.Replace(users, `{"id":"kim"`, `{"disabled":true,"id":"kim"`, 1)
		return strings.Replace(users, `,{"org":"empty"}`, ``, 1)
	}, func(*Config) {})
	for name, realms := range map[string][2]*Realm{"shorter now": {was, is}, "longer now": {lostRealm(t, asItIs, func(*Config) {}), was}} {
		for _, r := range Lost(realms[0], realms[1], start.Add(time.Second), start) {
			least := start.Add(72 * time.Hour)
			if r.Kind == RevokedSubject {
				least = start.Add(792 * time.Hour)
			}
			if r.Until.Before(least) {
				t.Errorf("%s: %s %s is forgotten %s, want not before %s", name, r.Kind, r.Value, r.Until, least)
			}
		}
	}
}

// TestLossesThatCanBeRevoked sets a tokens_not_before of the next century, and takes
// the word api_tokens from a client.
func TestLossesThatCanBeRevoked(t *testing.T) {
	was := lostRealm(t, asItIs, func(c *Config) { c.client("mobile").APITokens = true })
	is := lostRealm(t, func(users string) string {
		return strings.Replace(users, `12:30:00Z`, `12:30:00+01:00","given_name":"k`, 1)
	}, func(*Config) {})
	future := lostRealm(t, func(users string) string {
		return strings.Replace(users, `2026-05-01T12:30:00Z`, `2126-05-01T12:30:00Z`, 1)
	}, func(*Config) {})
	if got := Lost(was, is, start.Add(time.Second), start); len(got) != 1 || got[0].Kind != RevokedClientRights || got[0].Value != "mobile" {
		t.Errorf("no API tokens any more: got %v", got)
	}
	got := Lost(is, future, start.Add(time.Second), start)
	if len(got) != 1 || !got[0].Before.Equal(start.Add(time.Second)) {
		t.Errorf("a tokens_not_before in the future: got %v, want what was issued so far", got)
	}
	if alive, err := aliveOf(got, start); err != nil || len(alive) != 1 {
		t.Errorf("got %v, %v, want a revocation that can be made", alive, err)
	}
}

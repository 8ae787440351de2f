package tokenexchange

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestInspectVerifies holds tokens against the keys that the house publishes: real
// ones, and such that only the holder of its key could sign.
func TestInspectVerifies(t *testing.T) {
	h := newHouse(t)
	from := claimsOf(t, h.adas())
	good := forge("at+jwt", from, nil)
	for name, c := range map[string]struct{ token, want string }{
		"an access token":     {h.adas(), ""},
		"an id token":         {forge("JWT", from, nil), ""},
		"another typ":         {forge("logout+jwt", from, nil), "typ is neither"},
		"another issuer":      {forge("at+jwt", from, map[string]any{"iss": "https://other.example.com"}), "iss is another issuer"},
		"no issuer":           {forge("at+jwt", from, map[string]any{"iss": nil, "ISS": issuer}), "iss is another issuer"},
		"expired":             {forge("at+jwt", from, map[string]any{"exp": start.Unix() - 5}), "it has expired"},
		"just about":          {forge("at+jwt", from, map[string]any{"exp": start.Unix() - 4}), ""},
		"no end":              {forge("at+jwt", from, map[string]any{"exp": nil}), "there is no exp"},
		"an end in words":     {forge("at+jwt", from, map[string]any{"exp": "never"}), "wrong type"},
		"from the future":     {forge("at+jwt", from, map[string]any{"iat": start.Unix() + 31}), "is ahead"},
		"not before tomorrow": {forge("at+jwt", from, map[string]any{"nbf": start.Unix() + 86400}), "is ahead"},
		"another's signature": {good[:strings.LastIndex(good, ".")] + h.adas()[strings.LastIndex(h.adas(), "."):], "the signature does not hold"},
	} {
		seen, err := Inspect(c.token)
		if err != nil {
			t.Errorf("%s: got %v", name, err)
			continue
		}
		switch err := seen.Verify(h.jwks, issuer, start); {
		case err == nil && c.want != "", err != nil && (c.want == "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	seen := must(Inspect(good))
	if seen.Alg != "ES256" || seen.KeyID != ecKey().ID() || seen.Type != "at+jwt" || !json.Valid(seen.Claims) {
		t.Errorf("got the header %s %s %s", seen.Alg, seen.KeyID, seen.Type)
	}
	other := must(json.Marshal(keySet([]SigningKey{ecOther()})))
	for name, c := range map[string]struct{ jwks, want string }{
		"the keys of another":   {string(other), "no key with this kid"},
		"another key, its name": {strings.ReplaceAll(string(other), ecOther().ID(), ecKey().ID()), "the signature does not hold"},
		"a key without a name":  {strings.ReplaceAll(string(other), `"kid":"`+ecOther().ID()+`",`, ""), "no key with this kid"},
		"no keys":               {`{"keys":[]}`, "the keys of the issuer"},
		"an error page":         {`<html>`, "the keys of the issuer"},
	} {
		if err := seen.Verify([]byte(c.jwks), issuer, start); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	for _, bad := range []string{"", "a.b.c", good + ".x", h.nightlys()[1:]} {
		if _, err := Inspect(bad); err == nil {
			t.Errorf("%.20s: got no error", bad)
		}
	}
}

// TestLives are what generated keys are kept for.
func TestLives(t *testing.T) {
	h := newHouse(t)
	signed, sealed := h.realm.Lives()
	if signed < 24*time.Hour || sealed < signed+24*time.Hour {
		t.Errorf("got %v and %v, want a day, and with the default of refresh tokens two", signed, sealed)
	}
	long := newHouse(t, func(c *Config) {
		c.client("web").AccessTokenValidity, c.client("batch").RefreshTokenValidity = Duration(50*time.Hour), Duration(500*time.Hour)
	})
	if signed, sealed := long.realm.Lives(); signed < 50*time.Hour || sealed < 550*time.Hour {
		t.Errorf("got %v and %v, want what the clients are given", signed, sealed)
	}
}

// TestKeyNames: what names a key is public.
func TestKeyNames(t *testing.T) {
	if ecKey().Alg() != "ES256" || rsaKey().Alg() != "RS256" {
		t.Errorf("got %s and %s", ecKey().Alg(), rsaKey().Alg())
	}
	id, err := stateKey.ID()
	if sealer := must(newSealer(stateKey)); err != nil || id != sealer.name() {
		t.Errorf("got %s, %v, want what codes begin with: %s", id, err, sealer.name())
	}
	if _, err := (StateKey{}).ID(); err == nil {
		t.Error("the zero state key has an id")
	}
}

package oidcusers

import (
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/tokenexchange"
)

// Claims that are taken say, to any reader, that they are of this issuer, for this
// client, and in time.
func FuzzIDTokenClaims(f *testing.F) {
	for _, text := range []string{
		`{"iss":"https://idp.example.com","sub":"1","aud":"scopegate","iat":1777636800,"exp":1777636860,"nonce":"n","auth_time":1}`,
		`{"iss":"https://idp.example.com","sub":"1","aud":["scopegate","x"],"azp":"scopegate","iat":1777636800,"exp":1777636860}`,
		`{"iss":"https://idp.example.com","Iss":"x","sub":"1","aud":["scopegate"],"iat":1,"exp":253402300799,"nbf":0}`,
	} {
		f.Add([]byte(text))
	}
	p := New(tokenexchange.ProviderSettings{Issuer: "https://idp.example.com", ClientID: "scopegate"}, nil)
	p.now = (&op{clock: start}).time
	f.Fuzz(func(t *testing.T, data []byte) {
		token, err := p.readIDToken(data)
		if err != nil {
			return
		}
		var all map[string]any
		if err := json.Unmarshal(data, &all); err != nil {
			t.Fatalf("read what is no JSON: %v", err)
		}
		if all["iss"] != "https://idp.example.com" || all["sub"] != token.subject || token.subject == "" || all["exp"].(float64) <= float64(start.Unix()) {
			t.Errorf("took %s", data)
		}
	})
}

// A key set that is taken holds public keys alone, each for one algorithm family.
func FuzzKeySet(f *testing.F) {
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 2047, 1), E: 65537}, KeyID: "rsa", Algorithm: "RS256", Use: "sig"},
		{Key: ecKey().Public(), KeyID: "ec"},
	}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(set)
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AAAA"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseKeys(data)
		if err != nil {
			return
		}
		for _, k := range keys {
			if !usable(k.public) {
				t.Errorf("took %T", k.public)
			}
			for _, alg := range []string{"", "none", "HS256", "RS512"} {
				if k.fits(alg) {
					t.Errorf("a key for %q", alg)
				}
			}
		}
	})
}

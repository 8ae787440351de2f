package oidcusers

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/scopegate/scopegate/tokenexchange"
)

// Each id token differs from a good one in one thing.
func TestIDTokens(t *testing.T) {
	claim := func(name string, value any) func(*op) {
		return func(o *op) {
			if o.claims[name] = value; value == nil {
				delete(o.claims, name)
			}
		}
	}
	text := func(old, replacement string) func(*op) {
		return func(o *op) {
			o.payload = func(claims map[string]any) []byte {
				good := must(json.Marshal(claims))
				if bad := bytes.Replace(good, []byte(old), []byte(replacement), 1); !bytes.Equal(bad, good) {
					return bad
				}
				panic("nothing was replaced")
			}
		}
	}
	sign := func(f func(payload []byte) string) func(*op) { return func(o *op) { o.sign = f } }
	for _, tc := range []struct {
		name   string
		change func(*op)
		want   string // in the error, "" for a good one
	}{
		{"a good one", func(*op) {}, ""},
		{"of ES256", sign(func(p []byte) string { return signed(jose.ES256, ecKey(), "ec", p, nil) }), ""},
		{"with at_hash", claim("at_hash", atHash("an access token")), ""},
		{"for us and others, with azp", func(o *op) { o.claims["aud"], o.claims["azp"] = []string{"x", "scopegate"}, "scopegate" }, ""},
		{"without auth_time", claim("auth_time", nil), ""},

		{"of another issuer", claim("iss", "https://other.example.com"), "another issuer"},
		{"of the issuer with a slash", func(o *op) { o.claims["iss"] = o.URL + "/" }, "another issuer"},
		{"for another client", claim("aud", "other"), "another client"},
		{"for another client alone", claim("aud", []string{"other"}), "another client"},
		{"for us and others", claim("aud", []string{"scopegate", "other"}), "azp"},
		{"for us, got by another", claim("azp", "other"), "azp"},
		{"for us and others, got by another", func(o *op) { o.claims["aud"], o.claims["azp"] = []string{"other", "scopegate"}, "other" }, "azp"},
		{"without aud", claim("aud", nil), "another client"},
		{"without nonce", claim("nonce", nil), "nonce"},
		{"another nonce", claim("nonce", "of another login"), "nonce"},
		{"without sub", claim("sub", nil), "sub"},
		{"an empty sub", claim("sub", ""), "sub"},
		{"a long sub", claim("sub", strings.Repeat("s", 256)), "sub"},
		{"a sub with a line break", claim("sub", "a\nb"), "sub"},
		{"a sub beyond ASCII", claim("sub", "é"), "sub"},
		{"a sub that is a number", claim("sub", 2481), "signature does not hold, or"},
		{"expired", claim("exp", start.Unix()), "expired"},
		{"without exp", claim("exp", nil), "expired"},
		{"exp of a text", claim("exp", "9999999999"), "not of its type"},
		{"without iat", claim("iat", nil), "iat"},
		{"issued in the future", claim("iat", start.Add(time.Minute).Unix()), "future"},
		{"not valid yet", claim("nbf", start.Add(time.Minute).Unix()), "not valid yet"},
		{"logged in in the future", claim("auth_time", start.Add(time.Minute).Unix()), "future"},
		{"at_hash of another token", claim("at_hash", atHash("another access token")), "at_hash"},
		{"sub twice", text(`"sub":"2481"`, `"sub":"1","sub":"2481"`), "duplicate"},
		{"a sub in another case, which is another claim", text(`"sub":"2481"`, `"sub":"2481","Sub":"1"`), ""},
		{"a group twice, deep", text(`"sub"`, `"realm":{"a":1,"a":2},"sub"`), "duplicate"},
		{"an issuer in another case", text(`"iss":`, `"Iss":`), "another issuer"},
		{"an audience in another case", text(`"aud":`, `"Aud":`), "aud lacks this client"},
		{"a date after the year 9999", text(`"exp":`, `"exp":253402300800,"x":`), "not of its type"},
		{"an alg that the provider does not name", func(o *op) { o.metadata["id_token_signing_alg_values_supported"] = []string{"ES256", "HS256"} }, "the alg of the id token is none of ES256"},
		{"a fraction of a second", text(`"exp":`, `"exp":9999999999.5,"x":`), "not of its type"},
		{"more behind the object", text(`"sub":"2481"}`, `"sub":"2481"} `), ""},

		{"without a signature", sign(func(p []byte) string {
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(p) + "."
		}), "compact form"},
		{"alg none with a signature", sign(func(p []byte) string {
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(p) + ".AAAA"
		}), "the alg of the id token"},
		{"HS256 with the public key", sign(func(p []byte) string {
			return signed(jose.HS256, must(x509.MarshalPKIXPublicKey(rsaKey().Public())), "rsa", p, nil)
		}), "the alg of the id token"},
		{"HS256 with our secret", sign(func(p []byte) string {
			return signed(jose.HS256, []byte(strings.Repeat("the secret", 4)), "rsa", p, nil)
		}), "the alg of the id token"},
		{"RS512", sign(func(p []byte) string { return signed(jose.RS512, rsaKey(), "rsa", p, nil) }), "the alg of the id token"},
		{"PS256 with a key for RS256", sign(func(p []byte) string { return signed(jose.PS256, rsaKey(), "rsa", p, nil) }), "none of the provider's keys"},
		{"another key of the same kid", sign(func(p []byte) string { return signed(jose.RS256, thief(), "rsa", p, nil) }), "signature"},
		{"a key for encryption", sign(func(p []byte) string { return signed(jose.RS256, thief(), "enc", p, nil) }), "none of the provider's keys"},
		{"an unknown key", sign(func(p []byte) string { return signed(jose.RS256, thief(), "new", p, nil) }), "none of the provider's keys"},
		{"a key in the header", sign(func(p []byte) string {
			return signed(jose.RS256, thief(), "", p, map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: thief().Public()}})
		}), "signature"},
		{"a key elsewhere", sign(func(p []byte) string {
			return signed(jose.RS256, thief(), "", p, map[jose.HeaderKey]any{"jku": "https://evil.example.com/jwks", "x5u": "https://evil.example.com/x5c"})
		}), "signature"},
		{"crit", sign(func(p []byte) string {
			return signed(jose.RS256, rsaKey(), "rsa", p, map[jose.HeaderKey]any{"crit": []string{"b64"}, "b64": true})
		}), "crit"},
		{"an access token", sign(func(p []byte) string {
			return signed(jose.RS256, rsaKey(), "rsa", p, map[jose.HeaderKey]any{"typ": "at+jwt"})
		}), "typ"},
		{"a logout token", sign(func(p []byte) string {
			return signed(jose.RS256, rsaKey(), "rsa", p, map[jose.HeaderKey]any{"typ": "logout+jwt"})
		}), "typ"},
		{"the JSON form", sign(func(p []byte) string {
			signer := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: rsaKey()}, nil))
			return must(signer.Sign(p)).FullSerialize()
		}), "compact form"},
		{"larger than 16 KiB", claim("groups", strings.Repeat("g", 16<<10)), "16 KiB"},
		{"an altered claim", func(o *op) {
			o.sign = func(p []byte) string {
				parts := strings.Split(signed(jose.RS256, rsaKey(), "rsa", p, nil), ".")
				return parts[0] + "." + base64.RawURLEncoding.EncodeToString(bytes.Replace(p, []byte("2481"), []byte("2482"), 1)) + "." + parts[2]
			}
		}, "signature"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			tc.change(o)
			id, err := o.finish(o.provider())
			switch {
			case tc.want == "":
				if err != nil || id.Subject != "2481" {
					t.Errorf("got %+v, %v, want the identity", id, err)
				}
			case !errors.Is(err, tokenexchange.ErrProviderAnswer) || !strings.Contains(err.Error(), tc.want):
				t.Errorf("got %v, want one about %s", err, tc.want)
			}
		})
	}
}

// A set that holds a secret, or two keys of one name, is none; what is of no use is
// left out.
func TestKeySets(t *testing.T) {
	jwk := func(key any, kid, more string) string {
		text := string(must(json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid})))
		return strings.TrimSuffix(text, "}") + more + "}"
	}
	good := jwk(rsaKey().Public(), "rsa", "")
	set := func(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }
	weak := must(rsa.GenerateKey(rand.Reader, 1024))
	for _, tc := range []struct {
		name, jwks string
		kid        string
		want       error
	}{
		{"one key", set(good), "rsa", nil},
		{"one key, none named", set(good), "", nil},
		{"beside one of no use", set(good, `{"kty":"OKP","crv":"X25519","x":"AAAA","kid":"x"}`, `{"kty":"FUTURE","kid":"f"}`), "rsa", nil},
		{"beside one of another alg", set(good, jwk(rsaKey().Public(), "other", `,"alg":"RS512"`)), "", nil},
		{"two that fit, none named", set(good, jwk(thief().Public(), "two", "")), "", tokenexchange.ErrProviderAnswer},
		{"two of one kid", set(good, jwk(thief().Public(), "rsa", "")), "rsa", tokenexchange.ErrProviderUnavailable},
		{"a private key", set(jwk(rsaKey(), "rsa", "")), "rsa", tokenexchange.ErrProviderUnavailable},
		{"a symmetric key", set(good, `{"kty":"oct","k":"AAAA","kid":"o"}`), "rsa", tokenexchange.ErrProviderUnavailable},
		{"a weak key", set(jwk(weak.Public(), "rsa", "")), "rsa", tokenexchange.ErrProviderUnavailable},
		{"a key that only encrypts", set(jwk(rsaKey().Public(), "rsa", `,"use":"enc"`)), "rsa", tokenexchange.ErrProviderUnavailable},
		{"a key that only wraps", set(jwk(rsaKey().Public(), "rsa", `,"key_ops":["wrapKey"]`)), "rsa", tokenexchange.ErrProviderUnavailable},
		{"none", set(), "rsa", tokenexchange.ErrProviderUnavailable},
		{"too many", set(strings.Split(strings.TrimSuffix(strings.Repeat(`{"kty":"FUTURE"};`, 101), ";"), ";")...), "rsa", tokenexchange.ErrProviderUnavailable},
		{"too many beside a good one", set(append(strings.Split(strings.TrimSuffix(strings.Repeat(`{"kty":"FUTURE"};`, 100), ";"), ";"), good)...), "rsa", tokenexchange.ErrProviderUnavailable},
		{"as many as may be", set(append(strings.Split(strings.TrimSuffix(strings.Repeat(`{"kty":"FUTURE"};`, 99), ";"), ";"), good)...), "rsa", nil},
		{"a key that takes long", set(jwk(&rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), maxRSABits, 1), E: 65537}, "rsa", "")), "rsa", tokenexchange.ErrProviderUnavailable},
		{"a key of a small exponent", set(jwk(&rsa.PublicKey{N: rsaKey().N, E: 3}, "rsa", "")), "rsa", tokenexchange.ErrProviderUnavailable},
		{"no set", `[]`, "rsa", tokenexchange.ErrProviderUnavailable},
		{"a name twice", `{"keys":[],"keys":[` + good + `]}`, "rsa", tokenexchange.ErrProviderUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := newOP(t)
			o.jwks = tc.jwks
			o.sign = func(p []byte) string { return signed(jose.RS256, rsaKey(), tc.kid, p, nil) }
			if _, err := o.finish(o.provider()); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

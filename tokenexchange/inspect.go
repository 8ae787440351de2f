package tokenexchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// Inspected is what a token says of itself. Anybody can write that: nothing was
// verified. It is for who looks at a token, and for no decision.
type Inspected struct {
	Alg, KeyID, Type string
	Claims           json.RawMessage // one JSON object without a name twice
	token            *mint.Foreign
}

// Inspect reads a token as strictly as the server does: an access token or an id
// token. Errors quote nothing of it.
func Inspect(raw string) (*Inspected, error) {
	f, err := mint.ReadForeign(raw)
	if err != nil {
		return nil, fmt.Errorf("reading the token: %w; expected an access token or an id token", err)
	}
	r := strictjson.NewReader(f.Payload)
	err = r.Object(func(string) error {
		_, err := r.Raw()
		return err
	})
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return nil, errors.New("reading the token: the claims are not one JSON object without a name twice")
	}
	return &Inspected{Alg: f.Alg, KeyID: f.KeyID, Type: f.Type, Claims: f.Payload, token: f}, nil
}

// Verify checks what everybody can check who has the issuer's public keys, a JWK
// set: signature, typ, iss, exp, nbf and iat. It does not know whether the token was
// revoked, and whom it is for.
func (i *Inspected) Verify(jwks []byte, issuer string, now time.Time) error {
	keys, err := parseAssertionKeys(jwks)
	if err != nil {
		return fmt.Errorf("the keys of the issuer: %w", err)
	}
	at := slices.IndexFunc(keys, func(k assertionKey) bool { return k.id == i.KeyID })
	var claims map[string]json.RawMessage // Its names are compared letter for letter.
	claimsErr := json.Unmarshal(i.Claims, &claims)
	var iss string
	exp, nbf, iat := 0.0, 0.0, 0.0
	for name, into := range map[string]any{"iss": &iss, "exp": &exp, "nbf": &nbf, "iat": &iat} {
		if value, ok := claims[name]; ok {
			claimsErr = errors.Join(claimsErr, json.Unmarshal(value, into))
		}
	}
	ahead := float64(now.Add(mint.LeewayNotBefore).Unix())
	switch {
	case at < 0:
		return errors.New("the issuer has no key with this kid: another issuer signed it, or the key is gone")
	case !keys[at].Verify(i.token):
		return errors.New("the signature does not hold: the token was changed, or somebody else made it")
	case i.Type != mint.TypeAccess && i.Type != mint.TypeID:
		return fmt.Errorf("typ is neither %s (an access token) nor %s (an id token)", mint.TypeAccess, mint.TypeID)
	case claimsErr != nil || claims["exp"] == nil:
		return errors.New("iss, exp, nbf or iat has the wrong type, or there is no exp")
	case iss != issuer:
		return errors.New("iss is another issuer")
	case float64(now.Add(-mint.LeewayExpiry).Unix()) >= exp:
		return errors.New("it has expired")
	case nbf > ahead || iat > ahead:
		return errors.New("nbf or iat is ahead")
	}
	return nil
}

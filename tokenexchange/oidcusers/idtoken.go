package oidcusers

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

const (
	maxIDToken = 16 << 10
	leeway     = 30 * time.Second
	maxSubject = 255
	// maxDate is the last second of the year 9999.
	maxDate = 253402300799
)

var (
	// A token in the compact form; the library takes another one too.
	compact     = regexp.MustCompile(`^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$`)
	subjectForm = regexp.MustCompile(`^[\x20-\x7E]{1,255}$`)
)

// idToken is an id token whose signature holds and which is for this client.
type idToken struct {
	subject, nonce     string
	issuedAt, authTime time.Time // the latter zero where there is none
	payload            []byte
}

func (t idToken) identity() tokenexchange.Identity {
	return tokenexchange.Identity{Subject: t.subject, AuthTime: t.authTime, IssuedAt: t.issuedAt, Claims: t.payload}
}

// verify judges an id token (OpenID Connect Core section 3.1.3.7), but for the
// nonce. The header comes first: what it says decides which key is asked for.
func (p *Provider) verify(ctx context.Context, m metadata, raw, accessToken string) (idToken, error) {
	parts := compact.FindStringSubmatch(raw)
	if len(raw) > maxIDToken || parts == nil {
		return idToken{}, wrong("the id token is no JWT in the compact form of at most 16 KiB")
	}
	alg, kid, err := readHeader(parts[1])
	if err != nil {
		return idToken{}, wrong("the header of the id token: %w", err)
	}
	if !slices.Contains(m.algorithms, alg) {
		return idToken{}, wrong("the alg of the id token is none of %s", strings.Join(m.algorithms, ", "))
	}
	keys, err := p.keys.get(ctx, func(s keySet) bool { _, ok := s.find(kid, alg); return ok })
	if err != nil {
		return idToken{}, err
	}
	public, ok := keys.find(kid, alg)
	if !ok {
		return idToken{}, wrong("the id token is signed with none of the provider's keys for its alg")
	}
	verifier := oidc.NewVerifier(p.settings.Issuer, &oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{public}}, &oidc.Config{
		ClientID: p.settings.ClientID, SupportedSigningAlgs: []string{alg}, Now: p.now,
	})
	verified, err := verifier.Verify(ctx, raw)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return idToken{}, wrong("the id token has expired")
	case err != nil: // Its text can hold claims.
		return idToken{}, wrong("the id token: its signature does not hold, or it is of another issuer, or for another client")
	case verified.AccessTokenHash != "" && verified.VerifyAccessToken(accessToken) != nil:
		return idToken{}, wrong("at_hash of the id token is not that of the access token")
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return idToken{}, wrong("the id token is no canonical base64")
	}
	token, err := p.readIDToken(payload)
	if err != nil {
		return idToken{}, wrong("the id token: %w", err)
	}
	return token, nil
}

// readHeader reads what decides of a header. Nothing in it can bring a key.
func readHeader(part string) (alg, kid string, err error) {
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return "", "", errors.New("expected base64")
	}
	r, typ := strictjson.NewReader(data), "JWT"
	err = r.Object(func(name string) (err error) {
		switch name {
		case "alg":
			alg, err = r.String()
		case "kid":
			kid, err = r.String()
		case "typ":
			typ, err = r.String()
		case "crit":
			return errors.New("crit is not accepted")
		default:
			_, err = r.Raw()
		}
		return err
	})
	if err == nil {
		err = r.End()
	}
	switch {
	case err != nil:
		return "", "", errors.New("expected a JSON object without crit and without duplicate names")
	case !strings.EqualFold(typ, "JWT"):
		return "", "", errors.New("typ is that of another kind of token")
	case len(kid) > maxKeyID:
		return "", "", fmt.Errorf("kid is longer than %d bytes", maxKeyID)
	}
	return alg, kid, nil
}

// idClaims are the claims that decide whether an id token is good.
type idClaims struct {
	issuer, subject, authorized, nonce string
	audience                           []string
	expiry, issued, before, auth       int64 // -1 where there is none
}

// readIDToken reads the claims again, strictly, and judges what the library does
// not: it matches names without case, and takes dates of any form.
func (p *Provider) readIDToken(payload []byte) (idToken, error) {
	c := idClaims{expiry: -1, issued: -1, before: -1, auth: -1}
	r := strictjson.NewReader(payload)
	err := r.Object(func(name string) error { return c.read(r, name) })
	if err == nil {
		err = r.End()
	}
	if err != nil {
		return idToken{}, errors.New("its claims are no JSON object without duplicate names, or one is not of its type")
	}
	now := p.now()
	switch {
	case c.issuer != p.settings.Issuer:
		return idToken{}, errors.New("iss is another issuer")
	case !slices.Contains(c.audience, p.settings.ClientID):
		return idToken{}, errors.New("aud lacks this client")
	case c.authorized != "" && c.authorized != p.settings.ClientID, c.authorized == "" && len(c.audience) > 1:
		return idToken{}, errors.New("azp is not this client, or is missing beside several audiences")
	case !subjectForm.MatchString(c.subject):
		return idToken{}, fmt.Errorf("sub: expected 1 to %d printable ASCII characters", maxSubject)
	case c.expiry < 0 || !now.Before(time.Unix(c.expiry, 0)):
		return idToken{}, errors.New("it has expired, or has no exp")
	case c.issued < 0 || now.Add(leeway).Before(time.Unix(c.issued, 0)):
		return idToken{}, errors.New("it was issued in the future, or has no iat")
	case c.before >= 0 && now.Add(leeway).Before(time.Unix(c.before, 0)):
		return idToken{}, errors.New("it is not valid yet")
	case c.auth >= 0 && now.Add(leeway).Before(time.Unix(c.auth, 0)):
		return idToken{}, errors.New("auth_time is in the future")
	}
	t := idToken{subject: c.subject, nonce: c.nonce, issuedAt: time.Unix(c.issued, 0), payload: payload}
	if c.auth >= 0 {
		t.authTime = time.Unix(c.auth, 0)
	}
	return t, nil
}

func (c *idClaims) read(r *strictjson.Reader, name string) (err error) {
	switch name {
	case "iss":
		c.issuer, err = r.String()
	case "sub":
		c.subject, err = r.String()
	case "azp":
		c.authorized, err = r.String()
	case "nonce":
		c.nonce, err = r.String()
	case "aud":
		if r.IsArray() {
			c.audience, err = texts(r)
			break
		}
		c.audience = make([]string, 1)
		c.audience[0], err = r.String()
	case "exp":
		c.expiry, err = date(r)
	case "iat":
		c.issued, err = date(r)
	case "nbf":
		c.before, err = date(r)
	case "auth_time":
		c.auth, err = date(r)
	default:
		_, err = r.Raw()
	}
	return err
}

// date reads seconds since 1970, without a fraction.
func date(r *strictjson.Reader) (int64, error) {
	n, err := r.Int()
	if err == nil && (n < 0 || n > maxDate) {
		err = errors.New("no date")
	}
	return n, err
}

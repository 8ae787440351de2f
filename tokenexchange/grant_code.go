package tokenexchange

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// grantAuthorizationCode is RFC 6749 section 4.1.3 with PKCE (RFC 7636): what a
// user granted in the browser becomes a family of tokens.
var grantAuthorizationCode = &grant{
	name:      authorizationCode,
	bound:     narrowing,
	mandatory: []string{"code", "redirect_uri"},
	login:     true,
	draft:     draftAuthorizationCode,
}

func draftAuthorizationCode(c *call) (drafts, error) {
	found, err := c.server.state.Codes().Find(c, c.params["code"], c.client.ID)
	if err != nil {
		return drafts{}, codeRefused(err)
	}
	c.record.Subject, c.record.Org = found.Subject, found.Org
	if why, err := c.over(&found.held.rec.Family); err != nil {
		return drafts{}, err
	} else if why != "" {
		return drafts{}, refusedBecause("code_invalid", errors.New(why))
	}
	// Who cannot show what only the client of the authorization request knows
	// learns nothing about the code, and uses it up after five tries.
	if reason := c.unproven(&found.Code); reason != "" {
		if err := found.Miss(c, c.attempt); err != nil {
			return drafts{}, err
		}
		return drafts{}, refused(reason, "")
	}
	if err := found.Used(); err != nil {
		return drafts{}, c.codeSpent(found, err)
	}
	if state := c.params["state"]; state != "" && state != found.State {
		return drafts{}, refused("state_mismatch", "")
	}
	draft, err := c.renew(&found.Grant)
	if err != nil {
		return drafts{}, err
	}
	c.nonce = found.Nonce
	c.commit = func(d mint.Draft) error {
		refreshEnd, end := c.familyEnds(d)
		_, refresh, err := found.Spend(c, c.attempt, refreshEnd, end)
		if err != nil {
			return c.codeSpent(found, err)
		}
		c.answerRefresh(refresh)
		return nil
	}
	return drafts{access: &draft}, nil
}

var codeVerifier = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// unproven tells what is wrong with the proof that the one who redeems a code
// is the one who asked for it, "" if nothing is.
func (c *call) unproven(code *Code) Reason {
	verifier := c.params["code_verifier"]
	switch {
	case c.params["redirect_uri"] != code.RedirectURI:
		return "redirect_uri_mismatch"
	case code.Challenge == "" && verifier == "" && c.client.pkceOptional:
		return ""
	case code.Challenge == "" || !codeVerifier.MatchString(verifier) || !slices.Contains(c.client.pkceMethods, code.Method):
		return "code_verifier_wrong"
	}
	if subtle.ConstantTimeCompare([]byte(challengeOf(code.Method, verifier)), []byte(code.Challenge)) != 1 {
		return "code_verifier_wrong"
	}
	return ""
}

// challengeOf returns the code_challenge of a verifier (RFC 7636 section 4.2).
// SHA256 is another name of S256 that some clients send.
func challengeOf(method, verifier string) string {
	switch method {
	case "S256", "SHA256":
		sum := sha256.Sum256([]byte(verifier))
		return base64.RawURLEncoding.EncodeToString(sum[:])
	case "plain":
		return verifier
	}
	return ""
}

// codeSpent is the answer to a code that was used before. What came of it dies
// with it, unless the second use is so close to the first that it is rather a
// repeat than a theft.
func (c *call) codeSpent(found *Redemption, err error) error {
	if !errors.Is(err, ErrReused) {
		return codeRefused(err)
	}
	if err := c.endFamily(&found.held.rec.Family); err != nil {
		return err
	}
	return refused("code_reused", "")
}

func codeRefused(err error) error {
	switch {
	case errors.Is(err, ErrNotFound):
		return refused("code_invalid", "")
	case errors.Is(err, ErrSpent):
		return refused("code_used", "")
	}
	return err
}

// revokeTimeout is how long ending a family may take.
const revokeTimeout = 5 * time.Second

// endFamily revokes all that came of one grant. It is published before the
// record changes: a process that dies in between has revoked too much, not too
// little. Whoever sent what was used before may be the thief, so it does not end
// when the request does.
func (c *call) endFamily(f *Family) error {
	s := c.server
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c), revokeTimeout)
	defer cancel()
	// A request on its way can still prolong the record by one token's life.
	until := f.End.Add(s.realm.longestLife())
	if err := s.revoke(ctx, RevokeGrant(f.ID, until)); err != nil {
		return err
	}
	return s.state.Families().Revoke(ctx, c.attempt, f.ID)
}

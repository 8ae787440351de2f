package tokenexchange

import (
	"errors"
	"io"
	"net/http"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// revokePresented ends a token at the word of the client that it was issued to,
// and all that came of it (RFC 7009). Its signature and its client decide: one
// that is not accepted any more, or not at the moment, is revoked all the same.
// What is not this client's has no effect, and is answered as if it had.
func (s *Server) revokePresented(r *http.Request, rec *Record, read func() (parameters, error)) (reply, error) {
	c, err := s.aboutToken(r, rec, read)
	if err != nil {
		return nil, err
	}
	s = c.server
	token := c.params["token"]
	if id, ours := s.state.refreshGrant(token, c.client.ID); ours {
		return revocationDone, published(c.revokeFamily(id))
	}
	if signed, _, err := s.verify(token); err == nil {
		return revocationDone, published(c.revokeSigned(signed))
	}
	if entry, found := s.realm.users.apiToken(token); found && entry.client == c.client {
		return nil, refused("token_kind", "")
	}
	rec.Cause = "no effect: no token that can be revoked"
	return revocationDone, nil
}

// revocationDone answers that there is nothing to say, in JSON: there are clients
// that take nothing else, and fail although the token is revoked.
func revocationDone(w http.ResponseWriter) {
	noStore(w.Header())
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, "{}\n") // The client is gone if this fails.
}

// published says of a revocation that the store could not take what is true of
// it: it holds here, and the client has to ask again.
func published(err error) error {
	if errors.Is(err, ErrStoreUnavailable) {
		return refusedBecause("revocation_unpublished", err)
	}
	return err
}

// revokeFamily ends a family by any of its refresh tokens, also one that was
// replaced. If the store is away nobody knows when the family ends, so it is
// dead here for as long as any could live.
func (c *call) revokeFamily(id string) error {
	s := c.server
	f, err := s.state.Families().Load(c, id)
	switch {
	case errors.Is(err, ErrNotFound):
		c.record.Cause = "no effect: the family has ended"
		return nil
	case err != nil:
		until := s.now().Add(s.realm.longestFamily())
		return errors.Join(s.revoke(c, RevokeGrant(id, until)), err)
	}
	c.record.Subject, c.record.Org = f.Subject, f.Org
	if err := s.mayEnd(c.client.ID, f.Subject, RevokeGrant(id, f.End)); err != nil {
		return err
	}
	return c.endFamily(&f)
}

// revokeSigned ends an access token and what was made of it.
func (c *call) revokeSigned(signed *mint.Signed) error {
	s := c.server
	switch {
	case !signed.IssuedTo(s.realm.issuer, c.client.ID):
		c.record.Cause = "no effect: another client's token"
		return nil
	case !signed.IsAccess():
		return refused("token_kind", "")
	}
	id := signed.Identifiers()
	c.record.Subject, c.record.TokenID = id.Subject, id.ID
	ends := RevokeToken(id.ID, signed.Expiry())
	if err := s.mayEnd(c.client.ID, id.Subject, ends); err != nil {
		return err
	}
	return s.revoke(c, ends)
}

package tokenexchange

import (
	"context"
	"errors"
	"net/http"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// serveUserinfo is OpenID Connect Core section 5.3. What it tells is computed
// anew from what the user is now, by the code that writes id tokens.
func (s *Server) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	s.withBearer(w, r, "userinfo", s.userinfo)
}

func (s *Server) userinfo(ctx context.Context, token mint.UserToken) (any, error) {
	t := mint.Facts(token)
	user, from, err := s.userNow(ctx, t)
	if err != nil {
		return nil, err
	}
	switch {
	case !t.FromLogin():
		return nil, refused("token_not_first", "")
	case !t.HasScope("openid") || !from.opens():
		return nil, refused("openid_missing", "")
	}
	now, member := user.mintUser(t.Org(), t.AuthTime())
	if !member {
		return nil, refusedBecause(Reason(mint.TokenRevoked), errors.New("the user is no member of the organization any more"))
	}
	return from.Tell(token, now)
}

package tokenexchange

import (
	"context"
	"errors"
	"net/http"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// bearerAnswers is what the endpoints say that take a user's token (RFC 6750),
// where it is not what a guard says for the same reason. The reasons about
// requests without a token are those of clients.
var bearerAnswers = map[Reason]refusal{
	"subject_kind":    insufficient("expected a user's own access token: not a client's, and without an actor"),
	"token_not_first": insufficient("expected the access token of a login as it was issued: neither exchanged nor switched, nor got with an API token"),
	"openid_missing":  insufficient("the token was issued without the scope openid: log in with it"),
	"org_unknown":     {http.StatusNotFound, "not_found", "there is no such organization, or the user is no member of it"},
}

// withBearer answers a request with a user's token.
func (s *Server) withBearer(w http.ResponseWriter, r *http.Request, endpoint string, tell func(context.Context, mint.UserToken) (any, error)) {
	s.conclude(w, r, endpoint, func(r *http.Request, rec *Record, read func() (parameters, error)) (reply, error) {
		token, err := s.bearer(r, rec, read)
		if err != nil {
			return nil, err
		}
		body, err := tell(r.Context(), token)
		return func(w http.ResponseWriter) { writeJSON(w, http.StatusOK, body) }, err
	}, refuseBearer)
}

// bearer returns the one token of a request, judged: a user's, for this server,
// with which nobody acts for the user.
func (s *Server) bearer(r *http.Request, rec *Record, read func() (parameters, error)) (none mint.UserToken, err error) {
	p := Take(r, false)
	if r.Method == http.MethodPost && r.ContentLength != 0 {
		// RFC 6750 section 2 has clients send one token in one way.
		body, err := read()
		if err != nil {
			return none, err
		}
		p.ambiguous = p.ambiguous || body["access_token"] != ""
	}
	switch {
	case p.ambiguous:
		return none, refused(Reason(scopes.ReasonTokenAmbiguous.String()), "")
	case p.token == "":
		return none, refused(Reason(scopes.ReasonNoToken.String()), "")
	}
	signed, _, err := s.verify(p.token)
	if err != nil {
		return none, err
	}
	id := signed.Identifiers()
	rec.Client, rec.Subject = id.ClientID, id.Subject
	subject, err := s.judge(signed, mint.TypeAccess, s.isIssuer)
	if mint.ReasonOf(err) == mint.TokenAudience {
		// All that a good token of this issuer lacks is what brings the audience.
		if _, other := s.judge(signed, mint.TypeAccess, func(aud []string) bool { return !s.mint.Forwarded(aud) }); other == nil {
			err = refusedBecause("openid_missing", err)
		}
	}
	if err != nil {
		return none, err
	}
	rec.Org, rec.Actor = mint.Facts(subject).Org(), mint.Facts(subject).Actor()
	user, ok := subject.(mint.UserToken)
	if !ok {
		return none, refused("subject_kind", "")
	}
	return user, nil
}

// userNow returns the user of a token, and the client that it was issued to, as
// they are now.
func (s *Server) userNow(ctx context.Context, t *mint.Token) (*User, *client, error) {
	from, err := s.source(t)
	if err != nil {
		return nil, nil, refusedBecause(Reason(mint.TokenRevoked), err)
	}
	user, err := s.person(ctx, t.Subject())
	if err != nil {
		return nil, nil, err
	}
	if user == nil || user.Disabled { // Without users files no token is dead for want of a user.
		return nil, nil, refusedBecause(Reason(mint.TokenRevoked), errors.New("no users file names the user, or no map line of a provider matches, or the user is disabled"))
	}
	return user, from, nil
}

// bearerAnswer finds the row of a reason.
func bearerAnswer(r Reason) refusal {
	if row, known := bearerAnswers[r]; known {
		return row
	}
	for reason, row := range refusals {
		if reason.String() == string(r) {
			return row
		}
	}
	a, known := answers[r]
	if !known {
		a = answers["server_error"]
	}
	return refusal{a.status, a.code, a.text}
}

// refuseBearer answers a refused request with a token, in the form of all
// endpoints of the issuer and with the challenge of RFC 6750 section 3.
func refuseBearer(w http.ResponseWriter, r *http.Request, e *Refused, decisionID string) {
	row := bearerAnswer(e.Reason)
	switch row.status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusBadRequest:
		w.Header().Set("WWW-Authenticate", challenge(row, []string{"openid"}, ""))
	}
	answer{row.code, row.status, row.help}.write(w, r, e, decisionID)
}

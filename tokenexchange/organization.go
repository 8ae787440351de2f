package tokenexchange

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// organizations is the path in front of the id of an organization.
const organizations = "/csp/gateway/am/api/orgs/"

// Org is an organization, as CSP clients read it.
type Org struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
}

// organizationOf returns the id that a path asks for: one segment, and nothing
// behind it.
func organizationOf(path string) (id string, ok bool) {
	id, ok = strings.CutPrefix(path, organizations)
	return id, ok && id != "" && !strings.Contains(id, "/")
}

// serveOrganization tells a member what an organization is called. One that does
// not exist is answered as one of others.
func (s *Server) serveOrganization(w http.ResponseWriter, r *http.Request) {
	id, _ := organizationOf(merged(r.URL.Path))
	s.withBearer(w, r, "orgs", func(ctx context.Context, token mint.UserToken) (any, error) {
		return s.organization(ctx, mint.Facts(token), id)
	})
}

// organization asks three: the user must be a member now, the client must be one
// that works there, and a token that is not all of a login is for its own
// organization alone.
func (s *Server) organization(ctx context.Context, t *mint.Token, id string) (Org, error) {
	user, from, err := s.userNow(ctx, t)
	if err != nil {
		return Org{}, err
	}
	_, member := user.in(id)
	switch {
	case !member:
		err = errors.New("there is no such organization, or the user is no member")
	case !from.worksIn(id):
		err = errors.New("client " + from.ID + " has other organizations in allowed_orgs")
	case id != t.Org() && !t.First():
		err = errors.New("the token is for another organization, and not all that a login gives")
	default:
		return s.realm.orgNamed(id), nil
	}
	return Org{}, refusedBecause("org_unknown", err)
}

// orgNamed returns what an organization is called. That of the users of a provider
// need not be in a users file.
func (r *Realm) orgNamed(id string) Org {
	if org, named := r.users.orgs[id]; named {
		return org
	}
	return Org{ID: id, Name: id, DisplayName: id}
}

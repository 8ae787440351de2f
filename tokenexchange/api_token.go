package tokenexchange

import (
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// apiToken is one entry of api_tokens in a users file: what its holder may do
// in the name of a user, through a client, in one organization.
type apiToken struct {
	id      string
	secret  Secret // of the whole token
	user    *User
	org     string
	client  *client
	rights  scopes.Set
	expires time.Time
}

// apiToken finds the entry of a presented token. An unknown id and a wrong
// secret take as long and have one answer. The caller must still ask whether
// the entry is good now.
func (d *Directory) apiToken(presented string) (*apiToken, bool) {
	id, _, _ := strings.Cut(presented, ".")
	entry, found := d.apiTokens[id]
	if !found {
		entry = &noToken
	}
	return entry, entry.secret.matches(presented) && found
}

// noToken is compared with where there is no entry.
var noToken = apiToken{}

// owner is what a token got with the entry says of its user: what the user
// holds now, as far as the entry's permissions go. It reports false if the
// entry has expired, or the user may have no token. Nobody logged in, so there
// is no time of that.
func (t *apiToken) owner(now time.Time) (mint.User, bool) {
	if !now.Before(t.expires) || t.user == nil {
		return mint.User{}, false
	}
	u, ok := t.user.mintUser(t.org, time.Time{})
	if !ok {
		return mint.User{}, false
	}
	var err error
	u.Rights, err = u.Rights.Meet(t.rights)
	return u, err == nil
}

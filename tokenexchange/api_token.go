package tokenexchange

import (
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// APIToken is one entry of api_tokens in a users file: what the holder of the
// token may do in the name of a user, through a client, in one organization.
// The token itself is in no file.
type APIToken struct {
	// What the token begins with: 1 to 64 characters of [A-Za-z0-9_-].
	ID string `json:"id"`
	// The SHA-256 of the whole token, as sha256:<hex>.
	Hash string `json:"hash"`
	// The sub of the user: <domain>:<id>.
	User string `json:"user"`
	// The id of an organization that the user is a member of.
	Org string `json:"org"`
	// The id of a client with the word api_tokens.
	Client string `json:"client"`
	// Lines as in permit. What the user does not hold at a use, the token does
	// not give. An empty list is a token that says who its user is, no more.
	Permissions []string `json:"permissions"`
	// When the token ends, as in 2026-12-31T00:00:00Z (RFC 3339).
	Expires string `json:"expires"`
}

// tokenID has no dot, which ends the id in a token.
var tokenID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// NewAPIToken draws a token and returns it with its entry: the given one, with
// id and hash. What can be wrong without a configuration is an error, which
// begins with the name of the field, as in ".user: ".
func NewAPIToken(entry APIToken, now time.Time) (token string, _ APIToken, err error) {
	entry.ID = strings.ToLower(rand.Text()[:16])
	token = entry.ID + "." + rand.Text() + rand.Text()
	if entry.Hash, err = HashSecret(token); err != nil {
		return "", APIToken{}, err
	}
	expires, err := entry.check()
	if err != nil {
		return "", APIToken{}, err
	}
	if !expires.After(now) {
		return "", APIToken{}, fmt.Errorf(".expires: %s is not ahead; expected a time to come", entry.Expires)
	}
	for i, line := range entry.Permissions {
		permission, patterns, _ := strings.Cut(line, " ")
		if !strings.Contains(permission, "/") {
			return "", APIToken{}, fmt.Errorf(".permissions[%d]: %q: expected SERVICE/PERMISSION and at least one pattern", i, line)
		}
		if _, err := parsePatterns(permission, strings.Fields(patterns), inOrg(entry.Org)); err != nil {
			return "", APIToken{}, fmt.Errorf(".permissions[%d]: %w", i, err)
		}
	}
	return token, entry, nil
}

// check checks what can be known without users and clients, and returns when
// the token ends. An error begins with the name that it is about.
func (e APIToken) check() (expires time.Time, err error) {
	domain, id, _ := strings.Cut(e.User, ":")
	_, literal := scopes.NewLiteral(e.Org)
	switch {
	case !tokenID.MatchString(e.ID):
		return expires, fmt.Errorf(".id: %q: expected 1 to 64 characters of [A-Za-z0-9_-]", e.ID)
	case domain == "" || id == "":
		return expires, fmt.Errorf(".user: %q: expected <domain>:<id>, as in example.com:ada", e.User)
	case literal != nil:
		return expires, fmt.Errorf(".org: %w; expected the id of an organization", literal)
	case !clientID.MatchString(e.Client):
		return expires, fmt.Errorf(".client: %q: expected the id of a client", e.Client)
	case e.Permissions == nil:
		return expires, errors.New(".permissions: missing; expected lines such as \"shop/orders.read orders/**\", or [] for none")
	}
	if expires, err = time.Parse(time.RFC3339, e.Expires); err != nil {
		return expires, fmt.Errorf(".expires: %q: expected a time such as 2026-12-31T00:00:00Z", e.Expires)
	}
	return expires, nil
}

// apiToken is a checked entry. Its zero value matches no token.
type apiToken struct {
	id      string
	secret  Secret // of the whole token
	user    *User
	org     string
	client  *client
	rights  scopes.Set
	expires time.Time
}

func (d *Directory) addAPIToken(e APIToken, r *Realm) error {
	expires, err := e.check()
	if err != nil {
		return err
	}
	t := &apiToken{id: e.ID, user: d.user(e.User), org: e.Org, client: r.clients[e.Client], expires: expires}
	switch {
	case d.apiTokens[e.ID] != nil:
		return fmt.Errorf(".id: %q is used twice; expected an id of its own", e.ID)
	case t.user == nil:
		return fmt.Errorf(".user: there is no user %q; expected <domain>:<id> of one in users", e.User)
	case t.client == nil:
		return fmt.Errorf(".client: there is no client %q; expected one of the clients: %s", e.Client, names(r.clients))
	case !t.client.apiTokens:
		return fmt.Errorf(".client: API tokens are not for client %s; expected api_tokens in its block, or another client", e.Client)
	}
	if _, member := t.user.in(e.Org); !member {
		return fmt.Errorf(".org: the user is no member of %q; expected an org of the memberships", e.Org)
	}
	if allowed := t.client.allowedOrgs; len(allowed) > 0 && !slices.Contains(allowed, e.Org) {
		return fmt.Errorf(".org: %q is not in allowed_orgs of client %s; expected one of them", e.Org, e.Client)
	}
	if t.secret, err = ParseSecretHash(e.Hash); err != nil {
		return fmt.Errorf(".hash: %w", err)
	}
	if t.rights, err = rightsOf(e.Permissions, e.Org, r.userLine); err != nil {
		return err
	}
	d.apiTokens[e.ID] = t
	return nil
}

// apiToken finds the entry of a presented token. An unknown id and a wrong
// secret take as long and have one answer. The caller must still ask whether the entry
// has expired, and what its user holds now.
func (d *Directory) apiToken(presented string) (*apiToken, bool) {
	id, _, _ := strings.Cut(presented, ".")
	entry, found := d.apiTokens[id]
	if !found {
		entry = &noToken
	}
	if !entry.secret.matches(presented) || !found {
		return nil, false
	}
	return entry, true
}

// noToken is compared with where there is no entry.
var noToken = apiToken{}

package tokenexchange

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/strictjson"
)

// Directory is the users of one or more users files. The zero value has none.
type Directory struct {
	byLogin   map[string]*User // nil where two users have the name
	bySubject map[string]*User
	byEmail   map[string][]*User // by verified address
	apiTokens map[string]*apiToken
	groups    map[string]string // the name, by id
	orgs      map[string]Org
	decoy     passwordHash // hashed for unknown names, so that they take as long
	asked     bool         // there are users files, even if they name nobody
}

// readUsers reads the users files strictly. An error names the file and the place in it.
func readUsers(paths []string, readFile func(path string) ([]byte, error), r *Realm) (*Directory, error) {
	d := &Directory{
		byLogin: map[string]*User{}, bySubject: map[string]*User{}, byEmail: map[string][]*User{}, apiTokens: map[string]*apiToken{},
		groups: map[string]string{}, orgs: map[string]Org{}, asked: len(paths) > 0,
	}
	files := make([]usersFile, len(paths))
	for i, path := range paths {
		data, err := readFile(path)
		if err != nil {
			return nil, InLine("users", i, fmt.Errorf("reading the file: %w", err))
		}
		if err = strictjson.Unmarshal(data, &files[i]); err == nil {
			err = d.add(&files[i], r.userLine)
		}
		if err != nil {
			return nil, InLine("users", i, fmt.Errorf("file %s: %w", path, err))
		}
	}
	// API tokens name users, who may stand in a later file.
	for i, path := range paths {
		for n, entry := range files[i].APITokens {
			if err := d.addAPIToken(entry, r); err != nil {
				return nil, InLine("users", i, fmt.Errorf("file %s: api_tokens[%d]%w", path, n, err))
			}
		}
	}
	return d, nil
}

// user returns the user with this sub, nil for none.
func (d *Directory) user(subject string) *User { return d.bySubject[subject] }

// account returns the only enabled user with this verified e-mail address, nil
// for none or several. Addresses are compared byte by byte: two spellings that
// a mail server takes for one are two accounts here.
func (d *Directory) account(email string) *User {
	var found *User
	for _, u := range d.byEmail[email] {
		if u.Disabled {
			continue
		}
		if found != nil {
			return nil
		}
		found = u
	}
	return found
}

// anyHas reports whether a user has the role, in any organization.
func (d *Directory) anyHas(role string) bool {
	for _, u := range d.bySubject {
		for _, held := range u.held {
			if slices.Contains(held.roles, role) {
				return true
			}
		}
	}
	return false
}

// dead tells why a token of a subject is dead by what the users files say now,
// "" if it lives. Without users files, and for a client's own tokens, they say
// nothing.
func (d *Directory) dead(subject string, issued time.Time) string {
	if !d.asked || !strings.Contains(subject, ":") {
		return ""
	}
	switch u := d.bySubject[subject]; {
	case u == nil:
		return "the user is not in the users files"
	case u.Disabled:
		return "the user is disabled"
	case u.TokensNotBefore != nil && issued.Before(*u.TokensNotBefore):
		return "issued before the user's tokens_not_before"
	}
	return ""
}

package tokenexchange

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// login finds a user by name and password. An unknown name, a wrong password
// and a disabled account are one answer and take one hash each.
func (s *Server) login(ctx context.Context, name, password string) (*User, error) {
	try := s.guess(ctx, guessPassword, name)
	// Who must wait does not stand in the way of those who wait for their turn.
	if err := try.allowed(); err != nil {
		return nil, err
	}
	d := s.realm.users
	user := d.byLogin[name]
	// A user without a password takes as long as one who does not exist, and
	// never gets in: the decoy is somebody else's hash.
	hash, usable := d.decoy, user != nil && user.hash.usable()
	if usable {
		hash = user.hash
	}
	var fault error
	err := s.throttles.hashing.do(ctx, hash, func() error {
		// Others may have failed since. Those who fail side by side from here on
		// are as many as there are turns, and each of them is counted.
		if err := try.allowed(); err != nil {
			return err
		}
		good := hash.matches(password)
		if fault = loginFault(user, usable, good); fault != nil {
			try.failed()
		}
		return nil
	})
	if err == nil {
		err = fault
	}
	if err != nil {
		return nil, err
	}
	try.succeeded(d.names(user)...)
	return user, nil
}

// loginFault tells the log what was wrong. It never holds the name: people type
// passwords into that field.
func loginFault(user *User, usable, good bool) error {
	why := ""
	switch {
	case user == nil:
		why = "no user, or more than one, has this name"
	case !usable:
		why = "user " + user.subject() + " has no password"
	case !good:
		why = "wrong password of user " + user.subject()
	case user.Disabled:
		why = "user " + user.subject() + " is disabled"
	default:
		return nil
	}
	return refusedBecause("credentials_wrong", errors.New(why))
}

// names returns the names by which a user, and nobody else, can log in.
func (d *Directory) names(u *User) (names []string) {
	for _, name := range []string{u.Username, u.Username + "@" + u.Domain} {
		if d.byLogin[name] == u {
			names = append(names, name)
		}
	}
	return names
}

// hashKinds returns what the hashes of all users cost. More than one tells, by
// the time that a login takes, which names are those of users.
func (d *Directory) hashKinds() []string {
	kinds := map[string]bool{}
	for _, u := range d.bySubject {
		if u.hash.usable() {
			kinds[u.hash.kind()] = true
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}

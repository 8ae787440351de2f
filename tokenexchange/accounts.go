package tokenexchange

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
)

// kindAccount is what is remembered of a user who logs in at another provider.
const kindAccount recordKind = "account"

// Account is a user as another OpenID provider knows one: never an e-mail
// address, which can belong to somebody else tomorrow, and here to a local user.
type Account struct {
	Issuer  string    `json:"issuer"`
	Subject string    `json:"subject"` // the provider's sub
	LoginAt time.Time `json:"login_at"`
	Claims  claims    `json:"claims"` // as of the last login
}

// Accounts are the records of users of other providers. The zero Accounts is not
// usable.
type Accounts struct {
	state *State
}

// Accounts gives the accounts of this state.
func (s *State) Accounts() Accounts { return Accounts{state: s} }

// errAccountTaken says that a sub of ours is that of somebody else: the domain was
// another issuer's before. It is free when the record has expired, and with it
// everything that was issued to that one.
var errAccountTaken = errors.New("the account belongs to a user of another issuer")

// Keep records what a provider said at a login, under the user's sub here, until
// exp. It gives ErrStoreUnavailable if the store cannot answer.
func (c Accounts) Keep(ctx context.Context, a Attempt, sub string, account Account, exp time.Time) error {
	s := c.state
	account.LoginAt, exp = inMillis(account.LoginAt), inMillis(exp)
	for range maxSwaps {
		found, err := s.find(ctx, kindAccount, sub)
		done := false
		switch {
		case errors.Is(err, ErrNotFound):
			done, err = s.add(ctx, a, kindAccount, s.ring[0].keyFor(s.issuer, kindAccount, sub), account, exp)
		case err == nil:
			var was Account
			if err = found.read(&was); err != nil {
				break
			}
			if was.taken(account) {
				return errAccountTaken
			}
			if found.exp.After(exp) {
				exp = found.exp // Another process has longer lives.
			}
			done, err = s.swap(ctx, a, found, account, exp)
		}
		if err != nil {
			return fmt.Errorf("keeping an account: %w", err)
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("keeping an account: %w: %w", ErrStoreUnavailable, errMoves)
}

// taken reports whether an account is not that of the other one's user.
func (a Account) taken(by Account) bool { return a.Issuer != by.Issuer || a.Subject != by.Subject }

// Find reads the account of a sub. It gives ErrNotFound if there is none.
func (c Accounts) Find(ctx context.Context, sub string) (Account, error) {
	var account Account
	found, err := c.state.find(ctx, kindAccount, sub)
	if err == nil {
		err = found.read(&account)
	}
	if err != nil {
		return Account{}, fmt.Errorf("finding an account: %w", err)
	}
	return account, nil
}

// maxAccountID is the length of the longest id that is written in clear.
const maxAccountID = 100

// accountID writes the sub of a provider as the id of a user here, so that two
// subs never have one id: letters, digits, dots and hyphens stay, every other byte
// is _ and two hexadecimal digits. What would be too long is its hash, behind a
// colon, which no other id has.
func accountID(sub string) string {
	var id strings.Builder
	for i := range len(sub) {
		switch c := sub[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '-':
			id.WriteByte(c)
		default:
			fmt.Fprintf(&id, "_%02x", c)
		}
	}
	if id.Len() <= maxAccountID {
		return id.String()
	}
	sum := sha256.Sum256([]byte(sub))
	return "sha256:" + base64.RawURLEncoding.EncodeToString(sum[:])
}

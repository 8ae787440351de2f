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
	account.LoginAt, exp = inMillis(account.LoginAt), inMillis(exp)
	for range maxSwaps {
		was, stored, err := c.read(ctx, sub)
		if err == nil && was.taken(account) {
			return errAccountTaken
		}
		done := false
		if err == nil || errors.Is(err, ErrNotFound) {
			done, err = c.write(ctx, a, sub, account, stored, exp)
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

// write puts an account in the place of all that were found, and tells whether it
// did. A login prolongs it, and it must outlive the state key under which it began.
func (c Accounts) write(ctx context.Context, a Attempt, sub string, account Account, stored []storedRecord, exp time.Time) (bool, error) {
	for _, old := range stored {
		if old.exp.After(exp) {
			exp = old.exp // Another process has longer lives.
		}
	}
	return c.state.swapAll(ctx, a, kindAccount, c.key(c.state.ring[0], sub), stored, account, exp)
}

// read looks under every state key: while one is replaced, there may be a record
// under each. The latest login counts.
func (c Accounts) read(ctx context.Context, sub string) (account Account, stored []storedRecord, err error) {
	for _, k := range c.state.ring {
		found, err := c.state.findAt(ctx, kindAccount, c.key(k, sub))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		var one Account
		if err == nil {
			err = found.read(&one)
		}
		if err != nil {
			return Account{}, nil, err
		}
		if len(stored) == 0 || one.LoginAt.After(account.LoginAt) {
			account = one
		}
		stored = append(stored, found)
	}
	if len(stored) == 0 {
		return Account{}, nil, ErrNotFound
	}
	return account, stored, nil
}

func (c Accounts) key(k *sealer, sub string) string {
	return k.keyFor(c.state.issuer, kindAccount, sub)
}

// taken reports whether an account is not that of the other one's user.
func (a Account) taken(by Account) bool { return a.Issuer != by.Issuer || a.Subject != by.Subject }

// Find reads the account of a sub. It gives ErrNotFound if there is none.
func (c Accounts) Find(ctx context.Context, sub string) (Account, error) {
	account, _, err := c.read(ctx, sub)
	return account, wrapped("finding an account", err)
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

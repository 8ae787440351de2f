package tokenexchange

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// kindTransaction is one way of a person from an authorization request to its
// answer.
const kindTransaction recordKind = "transaction"

// transactionLife is how long a person may take for it.
const transactionLife = 30 * time.Minute

// transaction is what is known of it. Which step is next is not in it: that is
// told, each time anew, by the request and by who is logged in.
type transaction struct {
	id    opaque
	found storedRecord

	Request authorizationRequest `json:"request"`           // with no client for the account page
	Browser string               `json:"browser"`           // a hash of the cookie of the browser that began it
	Turn    int                  `json:"turn"`              // how many steps were done
	Session string               `json:"session,omitempty"` // the mark of the session that began in it
	Org     string               `json:"org,omitempty"`     // that was chosen
	Chooser string               `json:"chooser,omitempty"` // the mark of the session in which it was
	Decided *decision            `json:"decided,omitempty"` // about what was offered
	Done    bool                 `json:"done,omitempty"`    // it was answered
	// The browser that went to another provider to log in, nil if it did not.
	Departed *departed `json:"departed,omitempty"`
	Anew     bool      `json:"anew,omitempty"` // a login there has to be a new one
	Created  time.Time `json:"created"`
	End      time.Time `json:"end"`
}

// decision is what a person has granted of an offer. It is kept until the client
// has its answer, so that a fault on the way does not have it asked again.
type decision struct {
	Offer   string `json:"offer"` // the mark of what was shown
	Granted extent `json:"granted"`
	// The generation of what was remembered then: what is taken back later is not
	// remembered again.
	Over int64 `json:"over,omitempty"`
}

// Transactions are the records of logins that are under way. The zero
// Transactions is not usable.
type Transactions struct{ state *State }

// Transactions gives the transactions of this state.
func (s *State) Transactions() Transactions { return Transactions{state: s} }

// begin records a transaction and names it.
func (l Transactions) begin(ctx context.Context, a Attempt, request authorizationRequest, browser string) (*transaction, error) {
	s := l.state
	tx := &transaction{
		id:      opaque{key: s.ring[0], grant: rand.Text()},
		Request: request, Browser: browserMark(browser), Created: inMillis(s.now()),
	}
	tx.End = tx.Created.Add(transactionLife)
	ok, err := s.add(ctx, a, kindTransaction, tx.key(s), tx, tx.End)
	if err == nil && !ok {
		err = errors.New("the id is taken")
	}
	return tx, wrapped("beginning a transaction", err)
}

func (tx *transaction) key(s *State) string {
	return tx.id.key.keyFor(s.issuer, kindTransaction, tx.id.grant)
}

// text names the transaction in the address of its pages. It is no secret: who
// knows it, and is another browser, gets nothing for it.
func (tx *transaction) text(s *State) string { return tx.id.text(opaqueTransaction, s.issuer, "") }

// find reads a transaction that this browser began. It gives ErrNotFound for any
// other, and for one that is over.
func (l Transactions) find(ctx context.Context, text, browser string) (*transaction, error) {
	o, ok := l.state.readOpaque(opaqueTransaction, text, "")
	if !ok {
		return nil, fmt.Errorf("finding a transaction: %w: none of ours", ErrNotFound)
	}
	tx := &transaction{id: o}
	var err error
	if tx.found, err = l.state.findAt(ctx, kindTransaction, tx.key(l.state)); err == nil {
		err = tx.found.read(tx)
	}
	if err == nil && (browser == "" || subtle.ConstantTimeCompare([]byte(tx.Browser), []byte(browserMark(browser))) != 1) {
		err = fmt.Errorf("%w: another browser began it", ErrNotFound)
	}
	return tx, wrapped("finding a transaction", err)
}

// step takes a transaction one turn on, if nobody did meanwhile. Of all who
// answer one page, one does; all others get ErrSpent, and nothing of theirs holds.
func (l Transactions) step(ctx context.Context, a Attempt, tx *transaction, change func(*transaction)) error {
	next := *tx
	next.Turn++
	change(&next)
	ok, err := l.state.handOut(ctx, a, tx.found, &next, next.End)
	if err == nil && !ok {
		err = ErrSpent
	}
	if err != nil {
		return wrapped("taking a transaction on", err)
	}
	*tx = next
	return nil
}

// browserMark is what a record keeps of the cookie of a browser.
func browserMark(cookie string) string {
	sum := sha256.Sum256([]byte("browser " + cookie))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// address is where the browser sees the page that is next.
func (tx *transaction) address(s *State) string { return authorizePath + "?transaction=" + tx.text(s) }

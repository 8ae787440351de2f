// Consent makes authorization codes for tests: what the authorization endpoint
// will do after a user has agreed, until there is one. It reads one JSON object
// from standard input, so that no key stands on a command line, writes the codes
// into the store of an issuer, and prints a JSON array of their texts.
//
// It is a program because the tests beside it import nothing of the module.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/boltstore"
	"github.com/scopegate/scopegate/tokenexchange/redisstore"
)

// request says what to make, and where: in the file Bolt, which no process may
// hold, or in the Redis at that address.
type request struct {
	Issuer   string
	StateKey string
	Bolt     string
	Redis    string
	Password string // of Redis
	Codes    []code

	age time.Duration // of the code that is made
}

// now is a clock that goes as late as the code is old.
func (r *request) now() time.Time { return time.Now().Add(-r.age) }

type code struct {
	tokenexchange.Code
	Age int // in seconds: it was made so long ago
}

func main() {
	if err := run(context.Background(), os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "consent:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, in io.Reader, out io.Writer) error {
	var r request
	dec := json.NewDecoder(in)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	key, err := tokenexchange.ParseStateKey([]byte(strings.TrimSpace(r.StateKey)))
	if err != nil {
		return fmt.Errorf("reading the state key: %w", err)
	}
	store, err := r.open()
	if err != nil {
		return err
	}
	state, err := tokenexchange.NewState(store, r.Issuer, []tokenexchange.StateKey{key}, r.now, nil)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	texts := make([]string, len(r.Codes))
	for i, c := range r.Codes {
		if texts[i], err = r.issue(ctx, state, c); err != nil {
			return errors.Join(err, store.Close())
		}
	}
	if err := store.Close(); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return json.NewEncoder(out).Encode(texts)
}

type closer interface {
	tokenexchange.Store
	io.Closer
}

func (r *request) open() (closer, error) {
	switch {
	case r.Bolt != "" && r.Redis == "":
		return boltstore.Open(r.Bolt, boltstore.Options{Now: r.now})
	case r.Redis != "" && r.Bolt == "":
		return redisstore.Open(redisstore.Options{
			Addresses: []string{r.Redis}, Issuer: r.Issuer, Now: r.now,
			Password: func() (string, error) { return r.Password, nil },
		})
	}
	return nil, errors.New("expected one of Bolt and Redis")
}

func (r *request) issue(ctx context.Context, state *tokenexchange.State, c code) (string, error) {
	r.age = time.Duration(c.Age) * time.Second
	attempt, err := state.NewAttempt()
	if err != nil {
		return "", err
	}
	if c.AuthTime.IsZero() {
		c.AuthTime = r.now()
	}
	return state.Codes().Issue(ctx, attempt, c.Code)
}

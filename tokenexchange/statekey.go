package tokenexchange

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

const stateKeyLen = 32

// StateKey is the secret that all state hangs on: who has it can read and make
// codes, families and refresh tokens. It cannot be printed. The zero StateKey
// is refused everywhere. See docs/stores.md.
type StateKey struct {
	secret hiddenBytes
}

// hiddenBytes keeps bytes where fmt cannot follow. It calls no method on an
// unexported field of some other struct, and follows a pointer under a verb
// that does not fit; a func is only ever an address.
type hiddenBytes func() []byte

func hideBytes(b []byte) hiddenBytes { return func() []byte { return b } }

// ParseStateKey reads a state key from one line, as `openssl rand -base64 32`
// prints it: the standard base64 of exactly 32 bytes, then at most one newline.
// Its errors do not quote the line.
func ParseStateKey(line []byte) (StateKey, error) {
	text := strings.TrimSuffix(string(line), "\n")
	if len(text) != base64.StdEncoding.EncodedLen(stateKeyLen) {
		return StateKey{}, errors.New("reading state key: not one line of 44 characters, as `openssl rand -base64 32` prints it")
	}
	// The decoder skips newlines inside; then the result is too short.
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != stateKeyLen {
		return StateKey{}, errors.New("reading state key: not the standard base64 of 32 bytes")
	}
	if [stateKeyLen]byte(raw) == [stateKeyLen]byte{} {
		return StateKey{}, errors.New("reading state key: all bytes are zero")
	}
	return StateKey{secret: hideBytes(raw)}, nil
}

// ID names the key and shows nothing of it: codes and refresh tokens that were
// made with it begin with its ID.
func (k StateKey) ID() (string, error) {
	s, err := newSealer(k)
	if err != nil {
		return "", err
	}
	return s.name(), nil
}

const stateKeyRedacted = "[state key]"

// String hides the key.
func (StateKey) String() string { return stateKeyRedacted }

// GoString hides the key.
func (StateKey) GoString() string { return stateKeyRedacted }

// Format hides the key from every verb of fmt.
func (StateKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stateKeyRedacted) }

// LogValue hides the key from slog.
func (StateKey) LogValue() slog.Value { return slog.StringValue(stateKeyRedacted) }

// MarshalText hides the key from text encoders.
func (StateKey) MarshalText() ([]byte, error) { return []byte(stateKeyRedacted), nil }

// MarshalJSON hides the key from JSON.
func (StateKey) MarshalJSON() ([]byte, error) { return []byte(`"` + stateKeyRedacted + `"`), nil }

// derive makes the key for one purpose.
func (k StateKey) derive(purpose string, length int) ([]byte, error) {
	return hkdf.Key(sha256.New, k.secret(), nil, "scopegate state v1: "+purpose, length)
}

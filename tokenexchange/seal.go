package tokenexchange

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrStateCorrupt says that a stored value cannot be opened: it was changed,
// moved, sealed for another issuer or under a state key that is not configured,
// or written by a version that this one does not know. It never means "absent".
var ErrStateCorrupt = errors.New("stored state cannot be opened")

// recordKind names what a record is. It is part of every store key and seal,
// so a value of one kind can never be read as another.
type recordKind string

// sealKeyID names a state key inside the values that it sealed.
type sealKeyID [4]byte

// sealer holds the keys that one state key gives.
type sealer struct {
	id       sealKeyID
	seal     hiddenBytes
	storeKey hiddenBytes
	macs     [len(opaquePurposes)]hiddenBytes // by kind
}

func newSealer(key StateKey) (*sealer, error) {
	if key.secret == nil {
		return nil, errors.New("empty state key")
	}
	id, err := key.derive("key id", len(sealKeyID{}))
	if err != nil {
		return nil, err
	}
	s := &sealer{id: sealKeyID(id)}
	purposes := map[string]*hiddenBytes{"seal": &s.seal, "store key": &s.storeKey}
	for kind := opaqueCode; int(kind) < len(opaquePurposes); kind++ {
		purposes[opaquePurposes[kind]] = &s.macs[kind]
	}
	for purpose, into := range purposes {
		derived, err := key.derive(purpose, sha256.Size)
		if err != nil {
			return nil, err
		}
		*into = hideBytes(derived)
	}
	return s, nil
}

// name is the key's ID as opaque tokens begin with it.
func (s *sealer) name() string { return hex.EncodeToString(s.id[:]) }

// keyFor gives the store key of a record: a keyed hash, so that a reader of the
// store learns no ids.
func (s *sealer) keyFor(issuer string, kind recordKind, id string) string {
	mac := hmac.New(sha256.New, s.storeKey())
	mac.Write(joinFields(issuer, string(kind), id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// aead gives the cipher of one store key. Random nonces are safe for 2^32
// values under one AES key; a key of its own for each record keeps that bound
// per record, where nothing can reach it.
func (s *sealer) aead(bound []byte) (cipher.AEAD, error) {
	mac := hmac.New(sha256.New, s.seal())
	mac.Write(bound)
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// joinFields is unambiguous: each field is preceded by its length.
func joinFields(fields ...string) []byte {
	var out []byte
	for _, f := range fields {
		out = binary.BigEndian.AppendUint64(out, uint64(len(f)))
		out = append(out, f...)
	}
	return out
}

// A sealed value is
//
//	version (1) | key id (4) | nonce (12) | AES-256-GCM of the plaintext
//
// and its plaintext is
//
//	random of the attempt (16) | expiry, Unix milliseconds (8) | payload
//
// The version, issuer, kind and full store key are associated data.
const (
	sealVersion   = 1
	sealNonceLen  = 12
	sealHeaderLen = 1 + len(sealKeyID{}) + sealNonceLen
	sealFixedLen  = attemptLen + 8
)

// sealedPlain is what a sealed value holds.
type sealedPlain struct {
	attempt [attemptLen]byte
	exp     time.Time
	payload []byte
}

// sealBound is what a sealed value is bound to.
func sealBound(issuer string, kind recordKind, key string) []byte {
	return joinFields(string([]byte{sealVersion}), issuer, string(kind), key)
}

// sealed tells whether this sealer made a value that was opened.
func (s *sealer) sealed(raw []byte) bool {
	return bytes.Equal(raw[1:1+len(s.id)], s.id[:])
}

func (s *sealer) sealValue(random io.Reader, bound []byte, p sealedPlain) ([]byte, error) {
	aead, err := s.aead(bound)
	if err != nil {
		return nil, err
	}
	out := make([]byte, sealHeaderLen, sealHeaderLen+sealFixedLen+len(p.payload)+aead.Overhead())
	out[0] = sealVersion
	copy(out[1:], s.id[:])
	nonce := out[sealHeaderLen-sealNonceLen : sealHeaderLen]
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("drawing a nonce: %w", err)
	}
	plain := make([]byte, 0, sealFixedLen+len(p.payload))
	plain = append(plain, p.attempt[:]...)
	plain = binary.BigEndian.AppendUint64(plain, uint64(p.exp.UnixMilli()))
	plain = append(plain, p.payload...)
	return aead.Seal(out, nonce, plain, bound), nil
}

// openSealed opens a value with whichever key of the ring sealed it. Every
// error is ErrStateCorrupt.
func openSealed(ring []*sealer, bound, raw []byte) (sealedPlain, error) {
	corrupt := func(why string) (sealedPlain, error) {
		return sealedPlain{}, fmt.Errorf("%w: %s", ErrStateCorrupt, why)
	}
	if len(raw) == 0 || raw[0] != sealVersion {
		return corrupt("not version 1")
	}
	if len(raw) < sealHeaderLen {
		return corrupt("cut short")
	}
	id := sealKeyID(raw[1:])
	for _, s := range ring {
		if s.id != id {
			continue
		}
		aead, err := s.aead(bound)
		if err != nil {
			return corrupt(err.Error())
		}
		plain, err := aead.Open(nil, raw[sealHeaderLen-sealNonceLen:sealHeaderLen], raw[sealHeaderLen:], bound)
		if err != nil || len(plain) < sealFixedLen {
			return corrupt("the seal does not fit")
		}
		return sealedPlain{
			attempt: [attemptLen]byte(plain),
			exp:     time.UnixMilli(int64(binary.BigEndian.Uint64(plain[attemptLen:]))),
			payload: plain[sealFixedLen:],
		}, nil
	}
	return corrupt("sealed under a state key that is not configured")
}

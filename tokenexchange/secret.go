package tokenexchange

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// MinSecret is the number of characters below which a client secret is
// refused: kept as one SHA-256, only a long random secret is safe.
const MinSecret = 22

// Secret is a client secret, kept as its SHA-256. It cannot be printed. The
// zero value matches nothing.
type Secret struct {
	sum [sha256.Size]byte
	set bool
}

// NewSecret returns the secret with the given value.
func NewSecret(value string) (Secret, error) {
	if len(value) < MinSecret {
		return Secret{}, fmt.Errorf("a secret of %d characters; expected at least %d, as `openssl rand -base64 32` prints", len(value), MinSecret)
	}
	return Secret{sum: sha256.Sum256([]byte(value)), set: true}, nil
}

// HashSecret returns sha256:<hex>, which stands for a secret where it must not
// be read.
func HashSecret(value string) (string, error) {
	s, err := NewSecret(value)
	if err != nil {
		return "", err
	}
	return hashPrefix + hex.EncodeToString(s.sum[:]), nil
}

// hashPrefix begins the hash of a secret.
const hashPrefix = "sha256:"

// ParseSecretHash returns the secret whose hash is written sha256:<hex>.
func ParseSecretHash(text string) (Secret, error) {
	digits, found := strings.CutPrefix(text, hashPrefix)
	sum, err := hex.DecodeString(digits)
	if !found || err != nil || len(sum) != sha256.Size {
		return Secret{}, fmt.Errorf("expected sha256: and 64 hexadecimal digits")
	}
	if [sha256.Size]byte(sum) == sha256.Sum256(nil) {
		return Secret{}, errors.New("this is the hash of the empty secret")
	}
	return Secret{sum: [sha256.Size]byte(sum), set: true}, nil
}

// matches compares in constant time.
func (s Secret) matches(presented string) bool {
	sum := sha256.Sum256([]byte(presented))
	return subtle.ConstantTimeCompare(sum[:], s.sum[:]) == 1 && s.set
}

// Format keeps the hash out of every print.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("[redacted]")) }

// MarshalText keeps the hash out of JSON and structured logs.
func (Secret) MarshalText() ([]byte, error) { return []byte("[redacted]"), nil }

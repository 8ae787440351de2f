package tokenexchange

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/semaphore"
)

// passwordHash is a PHC string as `caddy hash-password` prints it, parsed and
// bounded when the users file is read: argon2.IDKey panics on zero parameters
// and would take any amount of memory that it is told to.
type passwordHash struct {
	bcrypt []byte
	argon  struct {
		time, memory uint32
		threads      uint8
		salt, key    []byte
	}
}

// bcryptLen is the length of a bcrypt hash; a longer one would never match.
const bcryptLen = 60

// Bounds of argon2id parameters; memory is in KiB.
const (
	maxArgonMemory  = 256 << 10
	maxArgonTime    = 16
	maxArgonThreads = 16
)

func parsePasswordHash(text string) (passwordHash, error) {
	var h passwordHash
	if strings.HasPrefix(text, "$2") {
		cost, err := bcrypt.Cost([]byte(text))
		if err != nil || cost > 16 || len(text) != bcryptLen {
			return h, errors.New("expected a bcrypt hash of 60 characters with a cost of at most 16")
		}
		h.bcrypt = []byte(text)
		return h, nil
	}
	parts := strings.Split(text, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, errors.New("expected a hash as `caddy hash-password` prints it: argon2id or bcrypt")
	}
	a := &h.argon
	const form = "m=%d,t=%d,p=%d"
	_, err := fmt.Sscanf(parts[3], form, &a.memory, &a.time, &a.threads)
	// Sscanf does not look at what follows the last number.
	if err != nil || fmt.Sprintf(form, a.memory, a.time, a.threads) != parts[3] {
		return h, errors.New("expected argon2id parameters as in m=47104,t=1,p=1")
	}
	if a.memory < 8 || a.memory > maxArgonMemory || a.time < 1 || a.time > maxArgonTime || a.threads < 1 || a.threads > maxArgonThreads {
		return h, errors.New("argon2id parameters out of bounds: at most m=262144 (256 MiB), t=16, p=16, none zero")
	}
	var err1, err2 error
	a.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	a.key, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(a.salt) < 8 || len(a.key) < 16 || len(a.key) > 128 {
		return h, errors.New("salt or key of the argon2id hash is not what `caddy hash-password` prints")
	}
	return h, nil
}

// usable reports whether there is a hash to compare with.
func (h passwordHash) usable() bool { return h.bcrypt != nil || len(h.argon.key) > 0 }

// kind says what a hash costs.
func (h passwordHash) kind() string {
	if h.bcrypt != nil {
		cost, _ := bcrypt.Cost(h.bcrypt) // It was parsed before.
		return fmt.Sprintf("bcrypt cost %d", cost)
	}
	return fmt.Sprintf("argon2id m=%d,t=%d,p=%d", h.argon.memory, h.argon.time, h.argon.threads)
}

// maxBcrypt is how many bytes of a password bcrypt reads.
const maxBcrypt = 72

// matches compares; the zero hash matches nothing. A password that bcrypt would
// cut never matches, but takes as long as any other.
func (h passwordHash) matches(password string) bool {
	if h.bcrypt != nil {
		cut := password[:min(len(password), maxBcrypt)]
		return bcrypt.CompareHashAndPassword(h.bcrypt, []byte(cut)) == nil && len(cut) == len(password)
	}
	a := &h.argon
	if len(a.key) == 0 {
		return false
	}
	key := argon2.IDKey([]byte(password), a.salt, a.time, a.memory, a.threads, uint32(len(a.key)))
	return subtle.ConstantTimeCompare(key, a.key) == 1
}

// hashMemory is how much memory all passwords that are hashed at once may take,
// in KiB. The most expensive hash fits twice.
const hashMemory = 512 << 10

// hashing bounds how many passwords are hashed at once: as many as there are
// processors, and fewer where their memory would be more than hashMemory.
// Without a bound a few requests would take the machine.
type hashing struct {
	turns *semaphore.Weighted // in KiB
	least int64               // what every hash counts at least, so that processors bound them too
}

func newHashing(processors int) hashing {
	return hashing{turns: semaphore.NewWeighted(hashMemory), least: hashMemory / int64(processors)}
}

func (h hashing) weight(hash passwordHash) int64 { return max(h.least, int64(hash.argon.memory)) }

// hashWait is how long a login waits for its turn.
const hashWait = 5 * time.Second

// do runs f, which hashes once, when it is its turn, or gives up. Turns come in
// the order of the requests.
func (h hashing) do(ctx context.Context, hash passwordHash, f func() error) error {
	weight := h.weight(hash)
	waiting, cancel := context.WithTimeout(ctx, hashWait)
	err := h.turns.Acquire(waiting, weight)
	cancel()
	if err != nil {
		return refusedBecause("too_many_attempts", errors.New("no turn for a password within 5 s, or the client left"))
	}
	defer h.turns.Release(weight)
	return f()
}

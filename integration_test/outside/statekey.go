package outside

import (
	"crypto/rand"
	"encoding/base64"
)

// StateKey is the text of a new state_key file, as `openssl rand -base64 32`
// prints it.
func StateKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	return base64.StdEncoding.EncodeToString(key) + "\n"
}

package tokenexchange

import (
	"fmt"
	"io"
	"log/slog"
)

// Credential is a secret that this server shows to another one. It cannot be
// printed. The zero value is none.
type Credential struct{ text hiddenBytes }

// NewCredential hides a secret.
func NewCredential(text string) Credential { return Credential{text: hideBytes([]byte(text))} }

// Reveal returns the secret, for the request that shows it.
func (c Credential) Reveal() string {
	if c.text == nil {
		return ""
	}
	return string(c.text())
}

const credentialRedacted = "[credential]"

// String hides the secret.
func (Credential) String() string { return credentialRedacted }

// GoString hides the secret.
func (Credential) GoString() string { return credentialRedacted }

// Format hides the secret from every verb of fmt.
func (Credential) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, credentialRedacted) }

// LogValue hides the secret from slog.
func (Credential) LogValue() slog.Value { return slog.StringValue(credentialRedacted) }

// MarshalText hides the secret from text encoders.
func (Credential) MarshalText() ([]byte, error) { return []byte(credentialRedacted), nil }

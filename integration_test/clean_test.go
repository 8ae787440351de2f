package integration_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// registered holds every credential of the callers of all tests.
var registered registry

type registry struct {
	mu     sync.Mutex
	tokens []string
}

// Register declares that these tokens, secrets or codes belong to a caller: no
// upstream and no log may see one of them. Whoever obtains or forges one in a
// test calls it at once.
func Register(t *testing.T, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		if len(token) < 8 {
			t.Fatalf("a token of %d characters cannot be told from other text", len(token))
		}
	}
	registered.mu.Lock()
	defer registered.mu.Unlock()
	registered.tokens = append(registered.tokens, tokens...)
}

func (r *registry) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.tokens...)
}

// tail is the part of a token that matters: in a JWT it is the end of the
// signature, without which the rest is no credential; in an opaque token it is
// the MAC. A stream with the whole token has its tail too.
func tail(token string) string {
	return token[max(0, len(token)-32):]
}

// leaks names each token whose tail is in the stream, in any of the forms in
// which it could be carried on.
func leaks(stream []byte, tokens []string) []string {
	var findings []string
	seenAs := views(stream)
	for i, token := range tokens {
		for _, needle := range needles(tail(token)) {
			for _, view := range seenAs {
				if bytes.Contains(view.data, []byte(needle.text)) {
					findings = append(findings, fmt.Sprintf("token %d (…%s) as %s, %s", i, token[len(token)-6:], needle.form, view.form))
				}
			}
		}
	}
	return findings
}

type view struct {
	form string
	data []byte
}

// views gives the stream as it is, with percent escapes decoded once and twice,
// and each of these without white space, which undoes the folding of headers.
func views(stream []byte) []view {
	list := []view{{"as received", stream}}
	for _, form := range []string{"percent-decoded", "percent-decoded twice"} {
		before := list[len(list)-1].data
		decoded := percentDecode(before)
		if bytes.Equal(decoded, before) {
			break
		}
		list = append(list, view{form, decoded})
	}
	for _, v := range list {
		folded := bytes.Map(func(r rune) rune {
			if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
				return -1
			}
			return r
		}, v.data)
		list = append(list, view{v.form + ", unfolded", folded})
	}
	return list
}

// percentDecode decodes what it can and leaves the rest alone.
func percentDecode(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] == '%' && i+2 < len(in) {
			if b, err := hex.DecodeString(string(in[i+1 : i+3])); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, in[i])
	}
	return out
}

type needle struct{ form, text string }

// needles gives the forms of a text that views does not undo. Base64 depends on
// how many bytes stand in front of the text: the three cases are encoded with
// bytes in front, and the characters that depend on neighbours are cut off.
func needles(text string) []needle {
	list := []needle{
		{"plain text", text},
		{"hex", hex.EncodeToString([]byte(text))},
	}
	for front := range 3 {
		padded := append(make([]byte, front), text...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			encoded := encoding.EncodeToString(padded)
			encoded = encoded[(front*8+5)/6:]
			if len(padded)%3 != 0 {
				encoded = encoded[:len(encoded)-1]
			}
			list = append(list, needle{"base64", encoded})
		}
	}
	return list
}

var jwtPattern = regexp.MustCompile(`eyJ[A-Za-z0-9_-]*\.([A-Za-z0-9_-]*)\.[A-Za-z0-9_-]*`)

// strangers names what looks like a JWT in the stream, but was not made for
// this audience alone. An empty audience means that no JWT is expected at all.
func strangers(stream []byte, audience string) []string {
	var findings []string
	seen := map[string]bool{}
	for _, view := range views(stream) {
		for _, match := range jwtPattern.FindAllSubmatch(view.data, -1) {
			payload := string(match[1])
			if seen[payload] {
				continue
			}
			seen[payload] = true
			if got := audienceOf(payload); audience == "" || got != audience {
				findings = append(findings, fmt.Sprintf("a token for %q, %s", got, view.form))
			}
		}
	}
	return findings
}

// audienceOf returns the one audience of a JWT's payload, else a description
// that equals no audience.
func audienceOf(payload string) string {
	decoded, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "<no payload>"
	}
	var claims struct {
		Audience json.RawMessage `json:"aud"`
	}
	if err := json.Unmarshal(decoded, &claims); err != nil {
		return "<no claims>"
	}
	var one string
	if json.Unmarshal(claims.Audience, &one) == nil {
		return one
	}
	var many []string
	if json.Unmarshal(claims.Audience, &many) == nil && len(many) == 1 {
		return many[0]
	}
	return "<" + strings.TrimSpace(string(claims.Audience)) + ">"
}

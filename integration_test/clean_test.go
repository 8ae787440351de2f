package integration_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// registered holds every credential of the callers of all tests.
var registered = registry{tokens: map[string]bool{}, search: newSearch()}

type registry struct {
	mu       sync.RWMutex
	tokens   map[string]bool
	search   *search
	searched atomic.Int64 // bytes
}

// Register declares that these tokens, secrets or codes belong to a caller: no
// upstream and no log may see one of them. What goes through a token endpoint is
// registered by itself (learning). Whoever makes, forges or configures one in a
// test calls it at once.
func Register(t *testing.T, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		if len(token) < prefixSize {
			t.Fatalf("a token of %d characters cannot be told from other text", len(token))
		}
	}
	registered.add(tokens...)
}

func (r *registry) add(tokens ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, token := range tokens {
		if !r.tokens[token] {
			r.tokens[token] = true
			r.search.whole(tokenName(len(r.tokens), token), tail(token))
		}
	}
}

// leaks names each registered token that is in the stream.
func (r *registry) leaks(stream []byte) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	r.searched.Add(int64(len(stream)))
	return r.search.find(stream)
}

func tokenName(n int, token string) string {
	return fmt.Sprintf("token %d (…%s)", n, token[len(token)-6:])
}

// tail is the part of a token that matters: in a JWT it is the end of the
// signature, without which the rest is no credential; in an opaque token it is
// the MAC. A stream with the whole token has its tail too.
func tail(token string) string {
	return token[max(0, len(token)-32):]
}

// leaks names each of these tokens whose tail is in the stream, in any of the
// forms in which it could be carried on.
func leaks(stream []byte, tokens ...string) []string {
	s := newSearch()
	for i, token := range tokens {
		s.whole(tokenName(i, token), tail(token))
	}
	return s.find(stream)
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

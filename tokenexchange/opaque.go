package tokenexchange

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// opaqueKind is what an opaque token is. Each kind has a key of its own, so
// that no token of one kind passes as another.
type opaqueKind int

const (
	opaqueCode        opaqueKind = iota + 1 // <key id>.<grant>.<mac>
	opaqueRefresh                           // <key id>.<grant>.<counter>.<mac>
	opaqueTransaction                       // <key id>.<id>.<mac>, of no client, as the next
	opaqueSession
	opaquePushed // <key id>.<id>.<mac>
)

// opaquePurposes name the MAC key of each kind. The zero kind has none.
var opaquePurposes = [...]string{
	opaqueCode: "code", opaqueRefresh: "refresh token", opaqueTransaction: "transaction", opaqueSession: "session", opaquePushed: "pushed request",
}

// opaque is what such a text says. The client is in its MAC but not in its text,
// so another client's try ends before the store is asked, as a guess does. The
// key names where the record is: a successor keeps it.
type opaque struct {
	key     *sealer
	grant   string // the grant, or what else the record is found by
	counter uint64 // of a refresh token
}

// text is the one spelling of the token, made for a client of an issuer.
func (o opaque) text(kind opaqueKind, issuer, client string) string {
	counter := strconv.FormatUint(o.counter, 10)
	parts := []string{o.key.name(), o.grant}
	if kind == opaqueRefresh {
		parts = append(parts, counter)
	}
	mac := hmac.New(sha256.New, o.key.macs[kind]())
	mac.Write(joinFields(issuer, o.grant, counter, client))
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(mac.Sum(nil))), ".")
}

const (
	maxGrantID = 64
	// maxOpaque is the longest token: the name of the key, the ID, the longest
	// counter, the MAC, and the dots between them.
	maxOpaque = 2*len(sealKeyID{}) + 1 + maxGrantID + 1 + 20 + 1 + 43
)

// readOpaque reads a token that a client presents. It asks no store: what we
// did not make for this client is told from its text alone. The text made anew
// must equal the whole one, so a token has no second spelling.
func (s *State) readOpaque(kind opaqueKind, text, client string) (opaque, bool) {
	if len(text) > maxOpaque {
		return opaque{}, false
	}
	parts := strings.Split(text, ".")
	var o opaque
	switch {
	case kind < opaqueCode || int(kind) >= len(opaquePurposes):
		return opaque{}, false
	case kind != opaqueRefresh && len(parts) == 3:
	case kind == opaqueRefresh && len(parts) == 4:
		var err error
		if o.counter, err = strconv.ParseUint(parts[2], 10, 64); err != nil {
			return opaque{}, false
		}
	default:
		return opaque{}, false
	}
	at := slices.IndexFunc(s.ring, func(k *sealer) bool { return k.name() == parts[0] })
	if at < 0 || !validGrantID(parts[1]) {
		return opaque{}, false
	}
	o.key, o.grant = s.ring[at], parts[1]
	if !hmac.Equal([]byte(o.text(kind, s.issuer, client)), []byte(text)) {
		return opaque{}, false
	}
	return o, true
}

// refreshGrant returns the grant of a refresh token, if one was made for this
// client that reads so. It says nothing of whether the token still works.
func (s *State) refreshGrant(token, client string) (id string, ours bool) {
	o, ours := s.readOpaque(opaqueRefresh, token, client)
	return o.grant, ours
}

// validGrantID tells whether an ID can stand in an opaque token: clients paste
// those without escaping them.
func validGrantID(id string) bool {
	for _, c := range []byte(id) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '~', c == '-':
		default:
			return false
		}
	}
	return id != "" && len(id) <= maxGrantID
}

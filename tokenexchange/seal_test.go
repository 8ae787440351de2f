package tokenexchange

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"
)

// sealedSample is a ring of two keys and a value that the first one sealed.
func sealedSample(t testing.TB) (ring []*sealer, bound, raw []byte, want sealedPlain) {
	t.Helper()
	for _, fill := range []byte{1, 2} {
		s, err := newSealer(testStateKey(t, fill))
		if err != nil {
			t.Fatal(err)
		}
		ring = append(ring, s)
	}
	bound = sealBound("https://issuer.example", "family", "a key")
	want = sealedPlain{attempt: [16]byte{1, 2, 3}, exp: time.UnixMilli(1234567890123), payload: []byte(`{"a":"b"}`)}
	raw, err := ring[0].sealValue(rand.Reader, bound, want)
	if err != nil {
		t.Fatal(err)
	}
	return ring, bound, raw, want
}

func TestSealOpens(t *testing.T) {
	ring, bound, raw, want := sealedSample(t)
	for name, ring := range map[string][]*sealer{"first": ring, "last": {ring[1], ring[0]}, "only": ring[:1]} {
		got, err := openSealed(ring, bound, raw)
		if err != nil || got.attempt != want.attempt || !got.exp.Equal(want.exp) || !bytes.Equal(got.payload, want.payload) {
			t.Errorf("key %s in the ring: got %v, %v; want %v", name, got, err, want)
		}
	}
	again, err := ring[0].sealValue(rand.Reader, bound, want)
	if err != nil || bytes.Equal(again, raw) {
		t.Errorf("sealed twice: got equal bytes, %v; want another nonce", err)
	}
	for _, clear := range []string{"issuer", "family", "a key", `"a"`} {
		if strings.Contains(string(raw), clear) {
			t.Errorf("a sealed value shows %q", clear)
		}
	}
	if _, err := ring[0].sealValue(strings.NewReader("short"), bound, want); err == nil {
		t.Error("sealing without enough random bytes: got a value, want an error")
	}
}

// TestSealTampered changes every byte, and every length, of a sealed value.
func TestSealTampered(t *testing.T) {
	ring, bound, raw, _ := sealedSample(t)
	refused := func(what string, at int, raw []byte) {
		t.Helper()
		p, err := openSealed(ring, bound, raw)
		if !errors.Is(err, ErrStateCorrupt) || p.payload != nil {
			t.Errorf("%s %d: got %v, %v; want ErrStateCorrupt", what, at, p, err)
		}
	}
	for i := range raw {
		for _, flip := range []byte{1, 0x80, 0xff} {
			bad := bytes.Clone(raw)
			bad[i] ^= flip
			refused("changed byte", i, bad)
		}
		refused("cut at", i, raw[:i])
		refused("without the first", i+1, raw[i+1:])
	}
	refused("longer by", 1, append(bytes.Clone(raw), 0))
	refused("doubled", 2, append(bytes.Clone(raw), raw...))
	other := bytes.Clone(raw)
	copy(other[1:], ring[1].id[:])
	refused("named for the other key", 0, other)
}

func TestSealBound(t *testing.T) {
	ring, _, raw, _ := sealedSample(t)
	for _, c := range []struct {
		name, issuer string
		kind         recordKind
		key          string
	}{
		{"other issuer", "https://other.example", "family", "a key"},
		{"other kind", "https://issuer.example", "epoch", "a key"},
		{"other key", "https://issuer.example", "family", "b key"},
		{"longer key", "https://issuer.example", "family", "a key "},
		{"border moved right", "https://issuer.examplef", "amily", "a key"},
		{"border moved left", "https://issuer.example", "famil", "ya key"},
		{"nothing", "", "", ""},
	} {
		if _, err := openSealed(ring, sealBound(c.issuer, c.kind, c.key), raw); !errors.Is(err, ErrStateCorrupt) {
			t.Errorf("%s: got %v, want ErrStateCorrupt", c.name, err)
		}
	}
	_, bound, _, _ := sealedSample(t)
	stranger, err := newSealer(testStateKey(t, 3))
	if err != nil {
		t.Fatal(err)
	}
	for name, ring := range map[string][]*sealer{"other key": {stranger}, "second key": ring[1:], "no key": nil} {
		if _, err := openSealed(ring, bound, raw); !errors.Is(err, ErrStateCorrupt) {
			t.Errorf("ring with %s: got %v, want ErrStateCorrupt", name, err)
		}
	}
	// A stranger who takes the key's public id still has another key.
	stranger.id = ring[0].id
	if _, err := openSealed([]*sealer{stranger}, bound, raw); !errors.Is(err, ErrStateCorrupt) {
		t.Errorf("stranger with our key id: got %v, want ErrStateCorrupt", err)
	}
}

func TestKeyForIsUnambiguous(t *testing.T) {
	ring, _, _, _ := sealedSample(t)
	seen := make(map[string]string)
	for _, k := range ring {
		for _, c := range [][3]string{{"i", "family", "x"}, {"i", "familyx", ""}, {"ifamily", "", "x"}, {"", "ifamily", "x"}, {"j", "family", "x"}, {"i", "epoch", "x"}, {"i", "family", "y"}} {
			got := k.keyFor(c[0], recordKind(c[1]), c[2])
			what := strings.Join(c[:], "|") + " under " + base64.StdEncoding.EncodeToString(k.id[:])
			if other, dup := seen[got]; dup {
				t.Errorf("%s and %s have one store key", what, other)
			}
			seen[got] = what
			if err := CheckKey(got); err != nil || len(got) != 43 {
				t.Errorf("%s: got %q, %v; want 43 characters", what, got, err)
			}
		}
	}
}

// TestSealKeyPerRecord seals one text for two records with one nonce: under one
// key the ciphertexts would be equal.
func TestSealKeyPerRecord(t *testing.T) {
	ring, bound, _, p := sealedSample(t)
	one, err1 := ring[0].sealValue(constantRandom(7), bound, p)
	two, err2 := ring[0].sealValue(constantRandom(7), sealBound("https://issuer.example", "family", "b key"), p)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if bytes.Equal(one[sealHeaderLen:sealHeaderLen+len(p.payload)], two[sealHeaderLen:sealHeaderLen+len(p.payload)]) {
		t.Error("two records share a key")
	}
}

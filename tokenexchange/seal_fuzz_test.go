package tokenexchange

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzOpenSealed opens what anyone may have written into the store: only the
// one value that was sealed opens, and only for its own issuer, kind and store
// key, under the key that sealed it.
func FuzzOpenSealed(f *testing.F) {
	ring, bound, _, want := sealedSample(f)
	// Each worker process must seal the same bytes.
	raw, err := ring[0].sealValue(constantRandom(7), bound, want)
	if err != nil {
		f.Fatal(err)
	}
	const sealedIssuer, sealedKind, sealedKey = "https://issuer.example", "family", "a key"
	for _, data := range [][]byte{
		raw, raw[:len(raw)-1], raw[:sealHeaderLen],
		{},
		{sealVersion},
		{sealVersion + 1},
		append([]byte{sealVersion}, ring[0].id[:]...),
		append(append([]byte{sealVersion}, ring[1].id[:]...), raw[5:]...),
		append(bytes.Clone(raw[:sealHeaderLen]), make([]byte, 16)...),
	} {
		f.Add(data, sealedIssuer, sealedKind, sealedKey)
	}
	f.Add(raw, sealedIssuer, "epoch", sealedKey)
	f.Add(raw, sealedIssuer, sealedKind, "b key")
	f.Add(raw, sealedIssuer+"f", "amily", sealedKey)
	f.Add(raw, "", "", "")
	f.Fuzz(func(t *testing.T, data []byte, issuer, kind, key string) {
		got, err := openSealed(ring, sealBound(issuer, recordKind(kind), key), data)
		if err != nil && (!errors.Is(err, ErrStateCorrupt) || got.payload != nil) {
			t.Errorf("got %v, %v; want nothing and ErrStateCorrupt", got, err)
		}
		ours := bytes.Equal(data, raw) && issuer == sealedIssuer && kind == sealedKind && key == sealedKey
		if ours != (err == nil) {
			t.Errorf("%x for %q %q %q: got %v, want opened: %v", data, issuer, kind, key, err, ours)
		}
		if err == nil && (got.attempt != want.attempt || !got.exp.Equal(want.exp) || !bytes.Equal(got.payload, want.payload)) {
			t.Errorf("got %v, want %v", got, want)
		}
		if _, err := openSealed(ring[1:], sealBound(issuer, recordKind(kind), key), data); err == nil {
			t.Errorf("%x opens without the key that sealed it", data)
		}
	})
}

package tokenexchange

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// opaqueSamples are one code and refresh tokens of several counters, of the
// second key of the state's ring.
func opaqueSamples(t testing.TB) (s *State, kinds map[string]opaqueKind, says map[string]opaque) {
	t.Helper()
	s = testState(t, NewMemoryStore(nil), stateIssuer, nil, nil, 1, 2)
	kinds, says = map[string]opaqueKind{}, map[string]opaque{}
	sample := func(kind opaqueKind, counter uint64) {
		o := opaque{key: s.ring[1], grant: "5f1c_A~z-9", counter: counter}
		text := o.text(kind, stateIssuer, "web")
		kinds[text], says[text] = kind, o
	}
	for _, kind := range []opaqueKind{opaqueCode, opaqueTransaction, opaqueSession, opaquePushed} {
		sample(kind, 0)
	}
	for _, counter := range []uint64{0, 1, 10, math.MaxUint64} {
		sample(opaqueRefresh, counter)
	}
	return s, kinds, says
}

func TestOpaqueTokens(t *testing.T) {
	s, kinds, says := opaqueSamples(t)
	// Clients paste them into forms and addresses as they are.
	plain := regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	other := testState(t, NewMemoryStore(nil), "https://other.example", nil, nil, 1, 2)
	dropped := testState(t, NewMemoryStore(nil), stateIssuer, nil, nil, 1)
	for text, kind := range kinds {
		if got, ok := s.readOpaque(kind, text, "web"); !ok || got != says[text] {
			t.Errorf("%s: got %v, %v; want %v", text, got, ok, says[text])
		}
		if !plain.MatchString(text) {
			t.Errorf("%s: want nothing outside [A-Za-z0-9._~-]", text)
		}
		refused := func(what string, s *State, kind opaqueKind, text, client string) {
			t.Helper()
			if got, ok := s.readOpaque(kind, text, client); ok || got != (opaque{}) {
				t.Errorf("%s of %s: got %v, want a refusal", what, text, got)
			}
		}
		refused("another client's use", s, kind, text, "web2")
		refused("no client's use", s, kind, text, "")
		refused("another issuer's reading", other, kind, text, "web")
		refused("reading without its key", dropped, kind, text, "web")
		for other := opaqueKind(-1); int(other) <= len(opaquePurposes)+1; other++ {
			if other != kind {
				refused(fmt.Sprintf("a reading as kind %d", other), s, other, text, "web")
			}
		}
		for i := range text {
			for _, c := range []byte{text[i] ^ 1, text[i] ^ 0x20, '.', '='} {
				if c != text[i] {
					refused("a changed character", s, kind, text[:i]+string(c)+text[i+1:], "web")
				}
			}
			refused("a missing character", s, kind, text[:i]+text[i+1:], "web")
			refused("a cut", s, kind, text[:i], "web")
			refused("a blank", s, kind, text[:i]+" "+text[i:], "web")
		}
		parts := strings.Split(text, ".")
		refused("upper case", s, kind, strings.ToUpper(parts[0])+"."+strings.Join(parts[1:], "."), "web")
		refused("a counter too many", s, kind, strings.Join(slices.Insert(slices.Clone(parts), 2, "0"), "."), "web")
		if kind == opaqueRefresh {
			for _, spelled := range []string{"0" + parts[2], "+" + parts[2], "-" + parts[2], parts[2] + "_0", "0x" + parts[2], "", "18446744073709551616", "٠"} {
				refused("the counter "+spelled, s, kind, strings.Join([]string{parts[0], parts[1], spelled, parts[3]}, "."), "web")
			}
		}
	}
}

// TestOpaqueFieldsAreApart makes tokens whose fields could run into each other.
func TestOpaqueFieldsAreApart(t *testing.T) {
	s, _, _ := opaqueSamples(t)
	macs := map[string]string{}
	for _, c := range []struct {
		name, issuer, client string
		kind                 opaqueKind
		o                    opaque
	}{
		{"refresh", "https://a.example", "web", opaqueRefresh, opaque{s.ring[0], "g1", 0}},
		{"counter", "https://a.example", "web", opaqueRefresh, opaque{s.ring[0], "g", 10}},
		{"code", "https://a.example", "web", opaqueCode, opaque{s.ring[0], "g1", 0}},
		{"client", "https://a.example", "0web", opaqueRefresh, opaque{s.ring[0], "g1", 0}},
		{"issuer", "https://a.exampleg", "web", opaqueRefresh, opaque{s.ring[0], "1", 0}},
		{"key", "https://a.example", "web", opaqueRefresh, opaque{s.ring[1], "g1", 0}},
	} {
		text := c.o.text(c.kind, c.issuer, c.client)
		mac := text[strings.LastIndexByte(text, '.'):]
		if other, taken := macs[mac]; taken {
			t.Errorf("%s has the MAC of %s", c.name, other)
		}
		macs[mac] = c.name
	}
}

func TestGrantIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"a": true, "Z9_~-": true, strings.Repeat("x", maxGrantID): true,
		"": false, strings.Repeat("x", maxGrantID+1): false, "a.b": false, "a b": false, "a/b": false, "ä": false, "a\n": false, "a+b": false, "a=": false,
	} {
		if got := validGrantID(id); got != want {
			t.Errorf("validGrantID(%q): got %v, want %v", id, got, want)
		}
	}
}

// FuzzOpaque reads what anyone may send as a code or a refresh token: only what
// was made for that client is read, each in its one spelling.
func FuzzOpaque(f *testing.F) {
	s, kinds, says := opaqueSamples(f)
	for text, kind := range kinds {
		f.Add(int(kind), text, "web")
		f.Add(int(kind), text, "web2")
		f.Add(int(kind), strings.Replace(text, ".", "..", 1), "web")
		f.Add(int(kind), text+".", "web")
		f.Add(int(kind), strings.Replace(text, "~", "%7E", 1), "web")
	}
	f.Add(int(opaqueRefresh), "...", "")
	f.Add(int(opaqueCode), s.ring[0].name()+".g.", "")
	f.Fuzz(func(t *testing.T, kind int, text, client string) {
		got, ok := s.readOpaque(opaqueKind(kind), text, client)
		want, made := says[text]
		made = made && kinds[text] == opaqueKind(kind) && client == "web"
		if ok != made || made && got != want || !ok && got != (opaque{}) {
			t.Errorf("%q for %q as %d: got %v, %v; made by us: %v", text, client, kind, got, ok, made)
		}
	})
}

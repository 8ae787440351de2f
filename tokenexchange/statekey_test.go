package tokenexchange

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// stateKeyLine is a key whose bytes would show in any print.
var stateKeyLine = base64.StdEncoding.EncodeToString([]byte("a state key that must not show!!"))

func testStateKey(t testing.TB, fill byte) StateKey {
	t.Helper()
	key, err := ParseStateKey([]byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32))))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestParseStateKey(t *testing.T) {
	zero := base64.StdEncoding.EncodeToString(make([]byte, 32))
	urlKey := base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xff}, 16))
	stdKey := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb, 0xff}, 16))
	for _, c := range []struct {
		name, line string
		ok         bool
	}{
		{"one line", stateKeyLine, true},
		{"trailing newline", stateKeyLine + "\n", true},
		{"plus and slash", stdKey, true},
		{"empty", "", false},
		{"newline only", "\n", false},
		{"two newlines", stateKeyLine + "\n\n", false},
		{"carriage return", stateKeyLine + "\r\n", false},
		{"leading newline", "\n" + stateKeyLine, false},
		{"newline inside", stateKeyLine[:20] + "\n" + stateKeyLine[20:], false},
		{"newline for a character", stateKeyLine[:20] + "\n" + stateKeyLine[21:], false},
		{"leading blank", " " + stateKeyLine, false},
		{"trailing blank", stateKeyLine + " ", false},
		{"two keys", stateKeyLine + "\n" + stateKeyLine + "\n", false},
		{"31 bytes", base64.StdEncoding.EncodeToString(make([]byte, 31)), false},
		{"33 bytes", base64.StdEncoding.EncodeToString(make([]byte, 33)), false},
		{"64 bytes", base64.StdEncoding.EncodeToString(make([]byte, 64)), false},
		{"no padding", strings.TrimRight(stateKeyLine, "="), false},
		{"base64url", urlKey, false},
		{"trailing bits", stateKeyLine[:42] + "F=", false},
		{"hexadecimal", strings.Repeat("0a", 22), false},
		{"raw bytes", strings.Repeat("\x01", 32), false},
		{"zero", zero, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := ParseStateKey([]byte(c.line))
			if (err == nil) != c.ok || (key.secret != nil) != c.ok {
				t.Fatalf("got %v, want ok %v", err, c.ok)
			}
			if err != nil && strings.Contains(err.Error(), stateKeyLine[:8]) {
				t.Errorf("the error quotes the key: %v", err)
			}
		})
	}
}

// TestStateKeyIsNeverPrinted prints a key, and structs that hold one, in every
// way that a log line or an answer is made.
func TestStateKeyIsNeverPrinted(t *testing.T) {
	key, err := ParseStateKey([]byte(stateKeyLine))
	if err != nil {
		t.Fatal(err)
	}
	state, err := NewState(NewMemoryStore(nil), "https://issuer.example", []StateKey{key}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	type open struct{ Key StateKey }
	type hidden struct{ key StateKey }
	var out bytes.Buffer
	for _, v := range []any{key, &key, open{key}, &open{key}, hidden{key}, &hidden{key}, []StateKey{key}, map[string]StateKey{"k": key}, state, *state, state.ring} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%c", "%T"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Errorf("json of %T: %v", v, err)
		}
		out.Write(text)
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("m", "v", v)
		}
	}
	out.WriteString(key.String() + key.GoString() + key.LogValue().String())

	own := state.ring[0]
	secrets := [][]byte{key.secret(), own.seal(), own.storeKey()}
	for _, mac := range own.macs[opaqueCode:] {
		secrets = append(secrets, mac())
	}
	for _, secret := range secrets {
		part := secret[4:12]
		for _, form := range []string{
			string(part),
			fmt.Sprintf("%x", part), fmt.Sprintf("%X", part),
			strings.Trim(fmt.Sprint(part), "[]"),
			strings.Trim(fmt.Sprintf("%#v", part), "[]byte{}"),
			base64.StdEncoding.EncodeToString(secret)[:12],
		} {
			if strings.Contains(out.String(), form) {
				t.Errorf("a key was printed as %q", form)
			}
		}
	}
}

func TestStateKeysPerPurpose(t *testing.T) {
	seen := make(map[string]string)
	for _, fill := range []byte{1, 2} {
		s, err := newSealer(testStateKey(t, fill))
		if err != nil {
			t.Fatal(err)
		}
		derived := map[string][]byte{"id": s.id[:], "seal": s.seal(), "store key": s.storeKey()}
		for kind := opaqueCode; int(kind) < len(opaquePurposes); kind++ {
			derived[opaquePurposes[kind]] = s.macs[kind]()
		}
		for name, k := range derived {
			name = fmt.Sprint(name, " of key ", fill)
			if other, dup := seen[string(k)]; dup {
				t.Errorf("%s equals %s", name, other)
			}
			seen[string(k)] = name
		}
	}
	if _, err := newSealer(StateKey{}); err == nil {
		t.Error("the zero state key: got a sealer, want an error")
	}
}

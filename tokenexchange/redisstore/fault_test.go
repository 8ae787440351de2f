package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/scopegate/scopegate/tokenexchange"
	"github.com/scopegate/scopegate/tokenexchange/storetest/redistest"
)

func wantFault(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || errors.Is(err, tokenexchange.ErrNotFound) || errors.Is(err, tokenexchange.ErrFeedGap) || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: got %v, want a fault that says %q", what, err, want)
	}
}

// TestServerRefuses has the errors of a server that is there and cannot serve.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	m := miniredis.RunT(t)
	s := openTest(t, Options{Addresses: []string{m.Addr()}})
	mustAdd(t, s, "warm", "up")
	for text, want := range map[string]string{
		"OOM command not allowed when used memory > 'maxmemory'.":     "memory is full",
		"READONLY You can't write against a read only replica.":       "is a replica",
		"LOADING Redis is loading the dataset in memory":              "still loading",
		"MASTERDOWN Link with MASTER is down":                         "without its master",
		"CLUSTERDOWN Hash slot not served":                            "no server for this key",
		"NOAUTH Authentication required.":                             "wants a password",
		"NOPERM this user has no permissions":                         "may not do this",
		"MISCONF Redis is configured to save RDB snapshots":           "cannot write to its disk",
		"NOREPLICAS Not enough good replicas to write.":               "too few replicas",
		"ERR something new":                                           "ERR something new",
		"TRYAGAIN Multiple keys request during rehashing of slot":     "TRYAGAIN",
		"BUSY Redis is busy running a script":                         "BUSY",
		"UNKILLABLE Sorry the script already executed write commands": "UNKILLABLE",
		"NOSCRIPT No matching script. Please use EVAL.":               "",
		"nil": "nil",
		"EXECABORT Transaction discarded because of previous errors.":   "EXECABORT",
		"WRONGTYPE Operation against a key holding the wrong kind":      "WRONGTYPE",
		"ERR max number of clients reached":                             "max number of clients",
		"NOTBUSY No scripts in execution right now.":                    "NOTBUSY",
		"UNBLOCKED client unblocked via CLIENT UNBLOCK":                 "UNBLOCKED",
		"ERR unknown command 'EVALSHA', with args beginning with: 'x'":  "unknown command",
		"NOPROTO unsupported protocol version":                          "NOPROTO",
		"ERR invalid password":                                          "invalid password",
		"WRONGPASS invalid username-password pair or user is disabled.": "no such user and password",
	} {
		m.SetError(text)
		var calls sync.WaitGroup // go-redis pauses before it repeats some.
		for verb, call := range everyCall(t.Context(), s) {
			calls.Go(func() { wantFault(t, verb+", "+text, call(), want) })
		}
		calls.Wait()
		m.SetError("")
	}
	holds(t, s, "warm", "up")
}

// TestRealServerRefuses gets some of them from a real server.
func TestRealServerRefuses(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	s := openTest(t, Options{Addresses: []string{r.Addr()}})
	mustAdd(t, s, "warm", "up")
	writes := map[string]func() error{}
	for verb, call := range everyCall(t.Context(), s) {
		if verb == "Add" || verb == "Swap" || verb == "Publish" {
			writes[verb] = call
		}
	}
	r.Do("CONFIG SET maxmemory 1")
	for verb, call := range writes {
		wantFault(t, verb+", memory full", call(), "memory is full")
	}
	holds(t, s, "warm", "up")
	r.Do("CONFIG SET maxmemory 0")
	r.Do("REPLICAOF 127.0.0.1 1")
	for verb, call := range writes {
		wantFault(t, verb+", replica", call(), "is a replica")
	}
	r.Do("CONFIG SET replica-serve-stale-data no")
	for verb, call := range everyCall(t.Context(), s) {
		want := "without its master"
		if verb == "Delete" {
			want = "is a replica"
		}
		wantFault(t, verb+", replica without its master", call(), want)
	}
	r.Do("REPLICAOF NO ONE")
	r.Do("CONFIG SET min-replicas-to-write 1")
	for verb, call := range writes {
		wantFault(t, verb+", too few replicas", call(), "too few replicas")
	}
	r.Do("CONFIG SET min-replicas-to-write 0")
	mustAdd(t, s, "a", "v")
}

// TestUnreadableValue finds what another hand wrote under our keys: a fault for
// every verb that has to know it, never "absent" and never overwritten.
func TestUnreadableValue(t *testing.T) {
	r := redistest.Start(t)
	s := openTest(t, Options{Addresses: []string{r.Addr()}})
	for name, stored := range map[string]string{
		"empty":         "",
		"short":         "\x01\x7f\xff\xff\xff\xff\xff\xff",
		"another":       "hello, this is no value of ours",
		"next version":  "\x02\x00\x00\x7f\xff\xff\xff\xff\xffvalue",
		"version zero":  "\x00\x00\x00\x7f\xff\xff\xff\xff\xffvalue",
		"expired, next": "\x02\x00\x00\x00\x00\x00\x00\x00\x01value",
	} {
		if err := s.client.Set(t.Context(), s.valueKey("k"), stored, 0).Err(); err != nil {
			t.Fatal(err)
		}
		_, err := s.Get(t.Context(), "k")
		wantFault(t, "Get, "+name, err, "cannot be read")
		ok, err := s.Add(t.Context(), "k", []byte("v"), later())
		wantFault(t, fmt.Sprint("Add, ", name, ok), err, "cannot be read")
		ok, err = s.Swap(t.Context(), "k", []byte("value"), []byte("v"), later())
		wantFault(t, fmt.Sprint("Swap, ", name, ok), err, "cannot be read")
		if got := s.client.Get(t.Context(), s.valueKey("k")).Val(); got != stored {
			t.Errorf("%s: got %q afterwards, want it untouched", name, got)
		}
	}
	if err := s.client.Del(t.Context(), s.valueKey("k")).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.client.LPush(t.Context(), s.valueKey("k"), "list").Err(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), "k")
	wantFault(t, "Get of a list", err, "WRONGTYPE")
	_, err = s.Add(t.Context(), "k", []byte("v"), later())
	wantFault(t, "Add over a list", err, "WRONGTYPE")
}

// TestPasswordIsHidden has a server that repeats what it was sent, as those do
// that do not know HELLO.
func TestPasswordIsHidden(t *testing.T) {
	const secret = "a-long-passphrase"
	m := miniredis.RunT(t)
	m.SetError("ERR unknown command 'HELLO', with args beginning with: '2' 'AUTH' 'user' '" + secret + "'")
	o := Options{Addresses: []string{m.Addr()}, Username: "user", Password: password(secret), Issuer: testIssuer}
	s := openTest(t, o)
	for verb, call := range everyCall(t.Context(), s) {
		err := call()
		wantFault(t, verb, err, "unknown command")
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the error shows the password: %v", verb, err)
		}
	}
	m.SetError("")

	// Redis cuts what it repeats at 128 bytes, and a password may have been
	// replaced since it was sent.
	r := redistest.Start(t, `rename-command HELLO ""`, `rename-command AUTH ""`)
	long := strings.Repeat("a-long-passphrase", 20)
	next := 0
	for name, from := range map[string]func() (string, error){
		"long":     password(long),
		"replaced": func() (string, error) { next++; return fmt.Sprint(secret, next), nil },
	} {
		s := openTest(t, Options{Addresses: []string{r.Addr()}, Username: "user", Password: from})
		_, err := s.Get(t.Context(), "k")
		wantFault(t, name, err, "unknown command")
		if err != nil && strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("%s: the error shows a part of the password: %v", name, err)
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, shown := range []any{o, &o, s, o.Identity()} {
			if text := fmt.Sprintf(format, shown); strings.Contains(text, secret) || strings.Contains(text, fmt.Sprintf("%x", secret)) {
				t.Errorf("%s of a %T shows the password", format, shown)
			}
		}
	}
}

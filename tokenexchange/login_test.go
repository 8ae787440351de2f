package tokenexchange

import (
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/argon2"
)

// A throttled password takes no turn from those who may still try.
func TestThrottledPasswordsAreNotHashed(t *testing.T) {
	h := newHouse(t)
	for range 10 {
		h.byPassword("203.0.113.1", "ada", "wrong")
	}
	if !h.slow.hashing.turns.TryAcquire(hashMemory) {
		t.Fatal("somebody else has a turn")
	}
	h.byPassword("203.0.113.1", "ada", password).slowed(t, 60)
}

// Those who waited for a turn while others failed are judged again.
func TestGuessesThatWaitAreJudgedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		turns := h.slow.hashing.turns
		if !turns.TryAcquire(hashMemory) {
			t.Fatal("somebody else has a turn")
		}
		const tries = 50
		results := make(chan error, tries)
		for range tries {
			go func() {
				_, err := h.Server.login(t.Context(), "ada", "wrong")
				results <- err
			}()
		}
		synctest.Wait() // Now all of them wait for a turn.
		turns.Release(hashMemory)
		compared := 0
		for range tries {
			if err := <-results; asRefused(err).Reason == "credentials_wrong" {
				compared++
			}
		}
		if most := 9 + int(hashMemory/h.slow.hashing.least); compared < 10 || compared > most {
			t.Errorf("got %d passwords compared, want 10 to %d", compared, most)
		}
	})
}

// A login waits 5 seconds for its turn, and no longer.
func TestLoginWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		turns := h.slow.hashing.turns
		if !turns.TryAcquire(hashMemory) {
			t.Fatal("somebody else has a turn")
		}
		begun := time.Now()
		_, err := h.Server.login(t.Context(), "ada", password)
		if took := time.Since(begun); asRefused(err).Reason != "too_many_attempts" || took != hashWait {
			t.Errorf("got %v after %s, want too_many_attempts after %s", err, took, hashWait)
		}
		got := make(chan error)
		go func() {
			_, err := h.Server.login(t.Context(), "ada", password)
			got <- err
		}()
		time.Sleep(hashWait - time.Second) // On the clock of the test.
		turns.Release(hashMemory)
		if err := <-got; err != nil {
			t.Errorf("a turn in time: got %v", err)
		}
	})
}

// A login is of the moment when it was begun, by the users of then: what ends the
// logins of before ends one that waited for its turn meanwhile.
func TestLoginThatWaitedIsOfBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, logins)
		b := h.browser().open(authorizeURL("orgId", "acme")).sees("login")
		page, grant := make(chan struct{}), make(chan got)
		wait := func(send func()) {
			if !h.slow.hashing.turns.TryAcquire(hashMemory) {
				t.Fatal("somebody else has a turn")
			}
			begun := h.clock
			go send()
			synctest.Wait()
			h.clock = begun.Add(4 * time.Second)
			h.slow.hashing.turns.Release(hashMemory)
		}
		wait(func() { b.logIn("ada"); close(page) })
		<-page
		access, _ := h.redeem("web", b.sees("consent").allow().granted()).tokens(t)
		if got, want := claimsOf(t, access)["auth_time"], float64(start.Unix()); got != want {
			t.Errorf("on the page: got auth_time %v, want %v", got, want)
		}
		begun := h.clock
		wait(func() { grant <- h.login() })
		access, _ = (<-grant).tokens(t)
		if got, want := claimsOf(t, access)["auth_time"], float64(begun.Unix()); got != want {
			t.Errorf("by the grant: got auth_time %v, want %v", got, want)
		}
	})
}

// Processors and memory bound how many passwords are hashed at once.
func TestTurnsOfHashes(t *testing.T) {
	for _, c := range []struct {
		processors int
		memory     uint32 // KiB, 0 for bcrypt
		want       int
	}{
		{1, 0, 1},
		{8, 0, 8},
		{100, 0, 100},
		{8, 46 << 10, 8},
		{64, 46 << 10, 11},
		{1, maxArgonMemory, 1},
		{8, maxArgonMemory, 2},
	} {
		h, hash := newHashing(c.processors), passwordHash{}
		hash.argon.memory = c.memory
		got := 0
		var inside func() error
		inside = func() error { // Each asks for the next one's turn, and gives up at once.
			got++
			if got > 1000 || !h.turns.TryAcquire(h.weight(hash)) {
				return nil
			}
			h.turns.Release(h.weight(hash))
			return h.do(t.Context(), hash, inside)
		}
		if err := h.do(t.Context(), hash, inside); err != nil || got != c.want {
			t.Errorf("%d processors, hashes of %d KiB: got %d at once, %v, want %d", c.processors, c.memory, got, err, c.want)
		}
		if !h.turns.TryAcquire(hashMemory) {
			t.Errorf("%d processors, hashes of %d KiB: a turn was not given back", c.processors, c.memory)
		}
	}
}

// Every login that is let in takes one hash, whatever is wrong with it: each of
// these takes 16 MiB, which can be counted.
func TestEveryLoginTakesOneHash(t *testing.T) {
	const memory = 16 << 10 // KiB
	salt, b64 := []byte("saltsaltsalt"), base64.RawStdEncoding.EncodeToString
	hash := fmt.Sprintf("$argon2id$v=19$m=%d,t=1,p=1$%s$%s", memory, b64(salt), b64(argon2.IDKey([]byte(password), salt, 1, memory, 1, 32)))
	h := newHouse(t)
	h.Server = h.serve(must(Compile(baseConfig(), []string{usersPath(t, strings.ReplaceAll(baseUsers, cheap, hash))})), NewCaches(), ecKey(), rsaKey())
	for _, c := range []struct{ name, user, password, want string }{
		{"right", "ada", password, ""},
		{"wrong password", "ada", "wrong", "credentials_wrong"},
		{"empty password", "ada", "", "credentials_wrong"},
		{"unknown user", "zed", password, "credentials_wrong"},
		{"a name of two users", "sam", password, "credentials_wrong"},
		{"disabled", "bob", password, "credentials_wrong"},
		{"disabled, wrong password", "bob", "wrong", "credentials_wrong"},
		{"without a password", "eve", password, "credentials_wrong"},
		{"no name", "", password, "credentials_wrong"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := h.Server.login(t.Context(), c.user, c.password)
		runtime.ReadMemStats(&after)
		if got := err == nil; got != (c.want == "") || err != nil && string(asRefused(err).Reason) != c.want {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if hashes := (after.TotalAlloc - before.TotalAlloc) / (memory << 10); hashes != 1 {
			t.Errorf("%s: got %d hashes, want one", c.name, hashes)
		}
	}
}

// Hashes of several kinds take several times, which tells who exists.
func TestMixedHashesAreWarnedOf(t *testing.T) {
	const argon = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$a2V5a2V5a2V5a2V5a2V5a2V5"
	other := strings.Replace(argon, "m=64", "m=128", 1)
	for name, c := range map[string]struct {
		users string
		want  string
	}{
		"one kind":         {baseUsers, ""},
		"two algorithms":   {strings.Replace(baseUsers, cheap, argon, 1), "argon2id m=64,t=1,p=1, bcrypt cost 4"},
		"other parameters": {strings.ReplaceAll(strings.Replace(baseUsers, cheap, other, 1), cheap, argon), "argon2id m=128,t=1,p=1, argon2id m=64,t=1,p=1"},
	} {
		warnings := strings.Join(must(Compile(baseConfig(), []string{usersPath(t, c.users)})).Warnings(), "\n")
		if got := strings.Contains(warnings, "users: password hashes"); got != (c.want != "") || !strings.Contains(warnings, c.want) {
			t.Errorf("%s: got %s, want %q", name, warnings, c.want)
		}
	}
}

// A login that would be over before it began is told so, and begins nothing.
func TestLoginBeforeTokensNotBefore(t *testing.T) {
	h := newHouse(t, logins)
	b := h.browser().open(authorizeURL("orgId", "acme"))
	h.withUsers(strings.Replace(baseUsers, `{"id":"ada"`, `{"tokens_not_before":"2026-05-01T12:20:00Z","id":"ada"`, 1))
	b.logIn("ada").turnedDown(400, "user_gone").sees("login")
	if b.cookies[sessionCookie] != "" {
		t.Error("the browser has a session")
	}
	h.clock = h.clock.Add(20 * time.Minute)
	b.logIn("ada").sees("consent")
}

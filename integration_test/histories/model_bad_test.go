package histories

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// parseHistory reads one request a line: when it was sent, when it was
// answered, what it was, and the answer.
func parseHistory(t *testing.T, text string) (history []operation) {
	t.Helper()
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 {
			continue
		}
		number := func(text string) int {
			n, err := strconv.Atoi(text)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			return n
		}
		op := operation{request: request{kind: kind(f[2])}, called: time.Duration(number(f[0])) * time.Millisecond, done: time.Duration(number(f[1])) * time.Millisecond}
		rest := f[3:]
		if op.kind == refresh {
			op.n, rest = number(f[3]), f[4:]
		}
		op.answer = map[string]string{"503": postponed, "cut": cut}[rest[0]]
		if op.answer == "" {
			op.answer = rest[0]
		}
		history = append(history, op)
	}
	return history
}

// TestHistoriesByHand shows that the checker takes what may happen and refuses
// what may not: it would see a code or a token that is spent twice, lost, or
// alive after it was revoked.
func TestHistoriesByHand(t *testing.T) {
	for _, c := range []struct {
		name string
		text string
		want porcupine.CheckResult
	}{
		{"one after the other", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			4 5 refresh 1 tokens
			6 7 redeem code_used
			8 9 refresh 0 refresh_token_reused
			10 11 refresh 2 refresh_token_invalid
			12 13 redeem code_invalid`, porcupine.Ok},
		{"a code at once", `
			0 9 redeem tokens
			0 9 redeem code_used
			0 9 redeem code_used`, porcupine.Ok},
		{"a code spent twice", `
			0 9 redeem tokens
			0 9 redeem tokens`, porcupine.Illegal},
		{"a code spent twice, one after the other", `
			0 1 redeem tokens
			2 3 redeem code_used
			4 5 redeem tokens`, porcupine.Illegal},
		{"used, but by nobody", `
			0 1 redeem code_used
			2 3 redeem tokens`, porcupine.Illegal},
		{"503, and then it works", `
			0 1 redeem 503
			2 3 redeem tokens
			4 5 redeem code_used`, porcupine.Ok},
		{"503, seen by another, and taken back", `
			0 5 redeem 503
			1 2 redeem code_used
			6 7 redeem tokens`, porcupine.Ok},
		{"503, and spent twice", `
			0 1 redeem 503
			2 3 redeem tokens
			4 5 redeem tokens`, porcupine.Illegal},
		{"cut, and it has happened", `
			0 1 redeem cut
			2 3 redeem code_used
			4 5 redeem code_used`, porcupine.Ok},
		{"cut, and it has not", `
			0 1 redeem cut
			2 3 redeem tokens`, porcupine.Ok},
		{"cut, it has happened, and then it has not", `
			0 1 redeem cut
			2 3 redeem code_used
			4 5 redeem tokens`, porcupine.Illegal},
		{"a code that comes back after the answer", `
			0 1 redeem tokens
			2 3 redeem cut
			4 5 redeem tokens`, porcupine.Illegal},
		{"a successor that is lost", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			4 5 refresh 0 cut
			6 7 refresh 1 refresh_token_invalid`, porcupine.Illegal},
		{"a successor that does not count", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			4 5 refresh 1 tokens
			6 7 refresh 0 tokens`, porcupine.Illegal},
		{"four answers", `
			0 1 redeem tokens
			2 9 refresh 0 tokens
			2 9 refresh 0 tokens
			2 9 refresh 0 tokens
			2 9 refresh 0 tokens
			2 9 refresh 0 refresh_token_used`, porcupine.Ok},
		{"five answers", `
			0 1 redeem tokens
			2 9 refresh 0 tokens
			2 9 refresh 0 tokens
			2 9 refresh 0 tokens
			2 9 refresh 0 tokens
			2 9 refresh 0 tokens`, porcupine.Illegal},
		{"five answers and a 503", `
			0 1 redeem tokens
			2 3 refresh 0 503
			4 9 refresh 0 tokens
			4 9 refresh 0 tokens
			4 9 refresh 0 tokens
			4 9 refresh 0 tokens
			4 9 refresh 0 tokens`, porcupine.Illegal},
		{"refused before it was repeated", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			4 5 refresh 0 refresh_token_used`, porcupine.Illegal},
		{"two thieves", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			4 5 refresh 1 tokens
			6 9 refresh 0 refresh_token_reused
			6 9 refresh 0 refresh_token_reused
			6 9 refresh 2 tokens`, porcupine.Ok},
		{"alive after it was revoked", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			4 5 refresh 1 tokens
			6 7 refresh 0 refresh_token_reused
			8 9 refresh 2 tokens`, porcupine.Illegal},
		{"alive after it was revoked, with a 503", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			4 5 refresh 1 tokens
			6 7 refresh 0 503
			8 9 refresh 0 refresh_token_reused
			10 11 refresh 2 tokens`, porcupine.Illegal},
		{"revoked by a thief who got no answer", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			4 5 refresh 1 tokens
			6 7 refresh 0 503
			8 9 refresh 2 tokens
			10 11 refresh 3 user_gone
			12 13 refresh 3 refresh_token_invalid`, porcupine.Ok},
		{"gone for nothing", `
			0 1 redeem tokens
			2 3 refresh 0 user_gone`, porcupine.Illegal},
		{"alive after it was gone", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			4 5 refresh 1 tokens
			6 7 refresh 0 503
			8 9 refresh 2 user_gone
			10 11 refresh 2 tokens`, porcupine.Illegal},
		{"revoked for nothing", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			4 5 refresh 0 refresh_token_reused`, porcupine.Illegal},
		{"revoked for coming late", `
			0 1 redeem tokens
			2 3 refresh 0 tokens
			9990 9991 refresh 0 refresh_token_reused`, porcupine.Ok},
		{"a code that comes late", `
			0 1 redeem tokens
			4990 4991 redeem code_reused
			4992 4993 refresh 0 refresh_token_invalid`, porcupine.Ok},
		{"burnt", `
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			2 3 redeem code_invalid`, porcupine.Ok},
		{"burnt too early", `
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			2 3 redeem code_invalid`, porcupine.Illegal},
		{"not burnt", `
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			0 1 miss code_verifier_wrong
			2 3 redeem tokens`, porcupine.Illegal},
	} {
		if got := linearizable(parseHistory(t, c.text), false); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

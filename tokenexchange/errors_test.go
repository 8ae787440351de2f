package tokenexchange

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// The page of errors has a section for each reason, and for nothing else.
func TestErrorsPage(t *testing.T) {
	page, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, section := range strings.Split(string(page), "\n## ")[1:] {
		name, text, _ := strings.Cut(section, "\n")
		if _, twice := sections[name]; twice {
			t.Errorf("docs/errors.md has two sections %s", name)
		}
		sections[name] = text
	}
	reasons := map[string]bool{}
	for r := range answers {
		reasons[string(r)] = true
	}
	for r := range refusals {
		reasons[r.String()] = true
	}
	for r := range bearerAnswers {
		reasons[string(r)] = true
	}
	for _, r := range scopes.Reasons() {
		if _, has := refusals[r]; has == (r == scopes.ReasonAllowed) {
			t.Errorf("%s: in the table of refusals is %v", r, has)
		}
	}
	complete := regexp.MustCompile(`(?s)^\*\*Cause\.\*\* \S.*\n\*\*Fix\.\*\* \S`)
	for r := range reasons {
		if !complete.MatchString(sections[r]) {
			t.Errorf("docs/errors.md has no section %q with a cause and a fix", r)
		}
	}
	for name := range sections {
		if !reasons[name] {
			t.Errorf("docs/errors.md has the section %q, which is no reason", name)
		}
	}
}

// Every reason is one word, and its row is one that RFC 6749 and 6750 allow.
func TestTablesOfReasons(t *testing.T) {
	word := regexp.MustCompile(`^[a-z_]+$`)
	for r, a := range answers {
		want := map[string]int{"invalid_client": 401, "server_error": 500}[a.code]
		if a.code == unavailable {
			want = 503
			if r == "too_many_attempts" {
				want = 429
			}
		}
		if want == 0 {
			want = 400
		}
		if !word.MatchString(string(r)) || a.status != want || a.text == "" || strings.ContainsAny(a.code, " \"") {
			t.Errorf("%s: got %d %s %q, want the status %d", r, a.status, a.code, a.text, want)
		}
	}
	for r, row := range refusals {
		if !word.MatchString(r.String()) || row.status < 400 || row.code == "" || row.help == "" || strings.ContainsAny(row.code, " \"") {
			t.Errorf("%s: got %+v", r, row)
		}
	}
}

// Whatever goes wrong has a known reason, and a fault of ours says nothing of
// its cause.
func TestAsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		want   Reason
		status int
	}{
		"a refusal":              {fmt.Errorf("x: %w", refused("grant_unknown", "")), "grant_unknown", 400},
		"the mint's":             {fmt.Errorf("x: %w", &mint.Refusal{Reason: mint.TokenExpired}), "token_expired", 400},
		"the mint's own fault":   {&mint.Refusal{Reason: mint.TokenSpent, Detail: "sensitive"}, "server_error", 500},
		"an upstream draft":      {&mint.Refusal{Reason: mint.TargetNotUpstream, Detail: "sensitive"}, "server_error", 500},
		"the store's":            {fmt.Errorf("x: %w", storeFault(errors.New("sensitive"))), "store_unavailable", 503},
		"corrupt state":          {fmt.Errorf("%w: sensitive", ErrStateCorrupt), "server_error", 500},
		"anything else":          {errors.New("sensitive"), "server_error", 500},
		"a reason without a row": {refused("no_such_reason", ""), "no_such_reason", 500},
	} {
		e := asRefused(c.err)
		w := httptest.NewRecorder()
		writeError(w, httptest.NewRequest("POST", "/", nil), e, "id")
		if e.Reason != c.want || w.Code != c.status || strings.Contains(w.Body.String(), "sensitive") {
			t.Errorf("%s: got %s %d %s, want %s %d", name, e.Reason, w.Code, w.Body, c.want, c.status)
		}
	}
}

// The words of the mint that occur on the proxy path are those of scopes.
func TestPathReasons(t *testing.T) {
	for r, want := range map[mint.Reason]scopes.Reason{
		mint.TokenMalformed: scopes.ReasonTokenMalformed, mint.TokenExpired: scopes.ReasonTokenExpired,
		mint.TokenNotYetValid: scopes.ReasonTokenNotYetValid, mint.TokenIssuer: scopes.ReasonTokenIssuer,
		mint.TokenAudience: scopes.ReasonTokenAudience, mint.TokenType: scopes.ReasonTokenType,
		mint.TokenSignature: scopes.ReasonTokenSignature, mint.TokenBinding: scopes.ReasonTokenBinding,
		mint.TokenRevoked: scopes.ReasonTokenRevoked, mint.ChainTooLong: scopes.ReasonChainTooLong,
		mint.TokenTooLarge: scopes.ReasonExchangeRefused, mint.ResourceTooLarge: scopes.ReasonExchangeRefused,
		"allowed": scopes.ReasonExchangeUnavailable, "": scopes.ReasonExchangeUnavailable,
	} {
		if got := pathReason(&mint.Refusal{Reason: r}); got != want {
			t.Errorf("%s: got %s, want %s", r, got, want)
		}
	}
	if got := pathReason(errors.New("x")); got != scopes.ReasonExchangeUnavailable {
		t.Errorf("an error without a reason: got %s", got)
	}
}

package outside

import "regexp"

// Crashed finds what a Go program prints when it is broken, and what net/http
// and Caddy print when a handler panicked and the process went on.
var Crashed = regexp.MustCompile(`(?m)WARNING: DATA RACE|^panic: |^fatal error: |panic serving|\[recovered\]`)

// credential is how JWTs, codes, refresh tokens and API tokens look.
var credential = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8}|\b[0-9a-f]{8}\.[A-Za-z0-9_~-]{8,64}\.([0-9]+\.)?[A-Za-z0-9_-]{43}\b|\b[a-z2-7]{16}\.[A-Z2-7]{52}`)

// Findings are what a log has and must not have: crashes, what looks like a
// credential, and these secrets (secret -> what it is).
func Findings(log string, secrets map[string]string) (found []string) {
	look := func(what string, pattern *regexp.Regexp) {
		if at := pattern.FindStringIndex(log); at != nil {
			found = append(found, what+": ..."+log[max(0, at[0]-200):min(len(log), at[0]+400)]+"...")
		}
	}
	look("a panic", Crashed)
	look("a token or a code", credential)
	for secret, what := range secrets {
		look(what, regexp.MustCompile(regexp.QuoteMeta(secret)))
	}
	return found
}

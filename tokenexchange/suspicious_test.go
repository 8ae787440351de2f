package tokenexchange

import (
	"net/http"
	"strings"
	"testing"
)

// The cheap test must never let an owned header pass, in any spelling.
func TestEveryAliasIsSuspicious(t *testing.T) {
	for name := range owned {
		for _, separator := range []string{"-", "_", ".", "!", "~"} {
			spelled := strings.ReplaceAll(name, "-", separator)
			for _, form := range []string{spelled, strings.ToUpper(spelled), http.CanonicalHeaderKey(spelled)} {
				if !suspicious(form) || !owned[alias(form)] {
					t.Errorf("%s: got a header that passes, want it taken out", form)
				}
			}
		}
	}
}

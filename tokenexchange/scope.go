package tokenexchange

import (
	"regexp"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// scopeToken is RFC 6749 section 3.3.
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)

// checkScope checks the words of a scope line.
func checkScope(line []string) error {
	words := lineWords(line)
	for _, s := range line {
		group, selected := strings.CutPrefix(s, "grpn://")
		if !selected {
			group, selected = strings.CutPrefix(s, "grpid://")
		}
		switch {
		case !scopeToken.MatchString(s):
			return inWord("scope", "%q; expected a scope token (RFC 6749 section 3.3)", s)
		case selected && group == "":
			return inWord("scope", "%s selects no group; expected its name or id, as in grpn://admins", s)
		}
	}
	for i, s := range words {
		if slices.Contains(words[:i], s) {
			return inWord("scope", "%s is listed twice; expected once", s)
		}
	}
	return nil
}

// lineWords returns the words that the words of a scope line stand for.
func lineWords(line []string) []string { return mint.Words(strings.Join(line, " ")) }

package tokenexchange

import (
	"regexp"
	"slices"
	"strings"
)

// scopeToken is RFC 6749 section 3.3.
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)

// checkScope checks the words of a scope line.
func checkScope(line []string) error {
	words := scopeWords(line...)
	for _, s := range line {
		group, selects := groupOf(s)
		switch {
		case !scopeToken.MatchString(s):
			return inWord("scope", "%q; expected a scope token (RFC 6749 section 3.3)", s)
		case selects && group == "":
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

// groupOf returns the name or the id of the group that a scope selects, and
// whether it selects one.
func groupOf(word string) (group string, selects bool) {
	if group, selects = strings.CutPrefix(word, "grpn://"); selects {
		return group, true
	}
	return strings.CutPrefix(word, "grpid://")
}

// scopeWords returns the words of a scope, whoever wrote it: a client block or
// a request. What some CSP clients write for two words counts as the two.
func scopeWords(text ...string) (words []string) {
	for word := range strings.FieldsSeq(strings.Join(text, " ")) {
		if word == "openid_offline_access" {
			words = append(words, "openid", "offline_access")
			continue
		}
		words = append(words, word)
	}
	return words
}

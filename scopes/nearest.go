package scopes

import (
	"slices"
	"strings"
)

// commonMethods are those that most APIs have.
var commonMethods = []string{"DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"}

// misspelt returns the common method that a method is one slip of the fingers away
// from, "" if there is none: a letter more, less or another, or all of its letters in
// another order. Any word in capitals can be a method, so none of them is an error.
func misspelt(method string) string {
	meant := nearest(method, commonMethods)
	letters := func(s string) []byte { return slices.Sorted(slices.Values([]byte(s))) }
	if method == meant || distance(method, meant) > 1 && !slices.Equal(letters(method), letters(meant)) {
		return ""
	}
	return meant
}

// nearest returns the first of the words with the smallest edit distance.
func nearest(word string, words []string) string {
	best, least := "", 0
	for i, w := range words {
		if d := distance(strings.ToLower(word), strings.ToLower(w)); i == 0 || d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

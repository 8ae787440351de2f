package scopes

import "strings"

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

package outside

import "strings"

// Shows tells whether a text has the parts of a block of a page, in their order,
// each indented as it likes. A blank line in the block may leave out what is
// between.
func Shows(text, block string) bool {
	lines := strings.Split(text, "\n")
	for part := range strings.SplitSeq(strings.Trim(block, "\n"), "\n\n") {
		want, found := strings.Split(part, "\n"), false
		for ; !found && len(lines) >= len(want); lines = lines[1:] {
			indent, _, ok := strings.Cut(lines[0], want[0])
			found = ok && strings.TrimSpace(indent) == "" && indent+strings.Join(want, "\n"+indent) == strings.Join(lines[:len(want)], "\n")
		}
		if !found {
			return false
		}
	}
	return true
}

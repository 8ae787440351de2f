package scopes

import "strings"

// node is one place in the trie of the rules of one method. An index of 1
// stands for paths that end in a slash, 0 for all others.
type node struct {
	literals map[string]*node
	variable *node
	end      [2]*rule // the path ends here
	rest     [2]*rule // "{name...}" takes what is left
}

// splitPath parts the trailing slash from the segments before it. The path must
// begin with a slash.
func splitPath(path string) (body string, slash bool) {
	slash = strings.HasSuffix(path, "/")
	if body = path[1:]; slash && body != "" {
		body = body[:len(body)-1]
	}
	return body, slash
}

// index of the arrays in a node.
func index(slash bool) int {
	if slash {
		return 1
	}
	return 0
}

// insert puts a rule in its place and returns the rule that is there already.
func (n *node) insert(r *rule) (other *rule) {
	place := &n.end
	for _, s := range r.path {
		switch s.kind {
		case segRest:
			place = &n.rest
			continue // it is the last one
		case segVariable:
			if n.variable == nil {
				n.variable = new(node)
			}
			n = n.variable
		default:
			if n.literals == nil {
				n.literals = make(map[string]*node)
			}
			if n.literals[s.text] == nil {
				n.literals[s.text] = new(node)
			}
			n = n.literals[s.text]
		}
		place = &n.end
	}
	if other = place[index(r.slash)]; other == nil {
		place[index(r.slash)] = r
	}
	return other
}

// find returns the most specific rule for what is left of a path: at the first
// place where two rules differ, a literal goes before "{name}", and that before
// "{name...}". A branch that ends nowhere falls back to the next one. Each node
// is reached by one way only, so the work is bounded by their number.
func (n *node) find(path string, slash int) *rule {
	if path == "" {
		return n.end[slash]
	}
	head, left, _ := strings.Cut(path, "/")
	if next := n.literals[head]; next != nil {
		if r := next.find(left, slash); r != nil {
			return r
		}
	}
	if n.variable != nil {
		if r := n.variable.find(left, slash); r != nil {
			return r
		}
	}
	return n.rest[slash]
}

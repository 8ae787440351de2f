package scopes

import (
	"errors"
	"fmt"
	"strings"
)

// segKind says what one segment of a pattern or of a template stands for. The
// first three are in the order of the index, see comparePatterns.
type segKind uint8

const (
	segNone     segKind = iota
	segAny              // "*": any one literal
	segPrefix           // "x*": a literal that begins with x, x too
	segLiteral          // itself
	segVariable         // "{name}": one literal out of the request; templates only
	segRest             // "{name...}": one or more of them; templates only
)

// seg is one segment. The slot is the place of a variable's value.
type seg struct {
	text string
	kind segKind
	slot int8
}

// covers says whether every literal of t is one of s.
func (s seg) covers(t seg) bool {
	switch s.kind {
	case segAny:
		return t.kind == segAny || t.kind == segPrefix || t.kind == segLiteral
	case segPrefix:
		return (t.kind == segPrefix || t.kind == segLiteral) && strings.HasPrefix(t.text, s.text)
	default: // a pattern holds no variables
		return t.kind == segLiteral && t.text == s.text
	}
}

// Pattern names one resource or many: segments parted by slashes, each a
// literal, a prefix with "*", or "*"; the last may be "**" for zero or more
// segments. Bytes are compared. The zero value covers nothing and is covered
// by nothing. See docs/scopes.md, section 3.2.
type Pattern struct {
	text string
	segs []seg // without the "**"
	tail bool  // it ends in "**"
}

// ParsePattern reads a pattern, written decoded. The error names the segment
// and what is wrong with it. "*/**" and "**" are the same resources, because a
// resource has at least one segment; both become "**", so that equal patterns
// have equal texts. See docs/scopes.md, section 3.2.
func ParsePattern(s string) (Pattern, error) {
	if s == "" {
		return Pattern{}, errors.New("a resource pattern is empty")
	}
	if strings.HasPrefix(s, "/") {
		return Pattern{}, fmt.Errorf("resource pattern %s: a resource begins without a slash", quote(s))
	}
	segs := make([]seg, 0, strings.Count(s, "/")+1)
	for i, part := range strings.Split(s, "/") {
		if part == "**" {
			if i == strings.Count(s, "/") {
				return finishPattern(s, segs, true), nil
			}
			return Pattern{}, fmt.Errorf("resource pattern %s: ** stands only at the end", quote(s))
		}
		sg, err := parseSegment(part)
		if err != nil {
			return Pattern{}, fmt.Errorf("resource pattern %s: segment %d: %w", quote(s), i+1, err)
		}
		segs = append(segs, sg)
	}
	return finishPattern(s, segs, false), nil
}

// finishPattern gives "*/**" its one name.
func finishPattern(text string, segs []seg, tail bool) Pattern {
	if tail && len(segs) == 1 && segs[0].kind == segAny {
		return Pattern{text: "**", tail: true}
	}
	return Pattern{text: text, segs: segs, tail: tail}
}

// parseSegment reads a literal, a prefix with "*", or "*".
func parseSegment(part string) (seg, error) {
	if part == "*" {
		return seg{kind: segAny}, nil
	}
	kind, limit := segLiteral, maxLiteral
	text, isPrefix := strings.CutSuffix(part, "*")
	if isPrefix {
		kind, limit = segPrefix, maxPrefix
	}
	if fault := literalFault(text, limit); fault != "" {
		return seg{}, fmt.Errorf("%s: %s", quote(part), fault)
	}
	return seg{kind: kind, text: text}, nil
}

// String returns the pattern as it is written in a claim; "" for the zero value.
func (p Pattern) String() string { return p.text }

// Equal says whether both patterns are the same; two zero values are.
func (p Pattern) Equal(q Pattern) bool { return p.text == q.text }

// valid is false for the zero value.
func (p Pattern) valid() bool { return p.text != "" }

// Covers says whether every resource of q is one of p. It is exact: neither
// generous nor shy. See docs/scopes.md, section 3.2.
func (p Pattern) Covers(q Pattern) bool {
	if !p.valid() || !q.valid() {
		return false
	}
	if p.tail {
		if len(q.segs) < len(p.segs) {
			return false
		}
	} else if q.tail || len(q.segs) != len(p.segs) {
		return false
	}
	for i, s := range p.segs {
		if !s.covers(q.segs[i]) {
			return false
		}
	}
	return true
}

// Meet returns the pattern of exactly the resources that both cover, and false
// when there are none. See docs/scopes.md, section 3.2.
func (p Pattern) Meet(q Pattern) (Pattern, bool) {
	if !p.valid() || !q.valid() {
		return Pattern{}, false
	}
	if len(p.segs) > len(q.segs) {
		p, q = q, p
	}
	// Now q is the longer one, and p must reach it with its "**".
	if len(p.segs) < len(q.segs) && !p.tail {
		return Pattern{}, false
	}
	for i, s := range p.segs {
		if !s.covers(q.segs[i]) && !q.segs[i].covers(s) {
			return Pattern{}, false
		}
	}
	segs := make([]seg, len(q.segs))
	copy(segs, q.segs)
	for i, s := range p.segs {
		if segs[i].covers(s) {
			segs[i] = s
		}
	}
	tail := p.tail && q.tail
	return Pattern{text: writeSegments(segs, tail), segs: segs, tail: tail}, true
}

// writeSegments writes the text of segments that hold no variables.
func writeSegments(segs []seg, tail bool) string {
	var b strings.Builder
	for i, s := range segs {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(s.text)
		if s.kind != segLiteral {
			b.WriteByte('*')
		}
	}
	if tail {
		if len(segs) > 0 {
			b.WriteByte('/')
		}
		b.WriteString("**")
	}
	return b.String()
}

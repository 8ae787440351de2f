package strictjson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// String reads a string. Invalid UTF-8, raw control characters and lone
// surrogate escapes are errors, because readers differ in what they make of them.
func (r *Reader) String() (string, error) {
	if err := r.expect('"'); err != nil {
		return "", err
	}
	start := r.pos
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; {
		case c == '"':
			raw := r.data[start:r.pos]
			r.pos++
			if !utf8.Valid(raw) {
				return "", r.fail("invalid UTF-8 in a string")
			}
			return string(raw), nil
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", r.fail("control character in a string")
		}
		r.pos++
	}
	return "", r.fail("string without an end")
}

// escaped reads on from the first backslash of a string.
func (r *Reader) escaped(start int) (string, error) {
	out := append([]byte(nil), r.data[start:r.pos]...)
	for r.pos < len(r.data) {
		c := r.data[r.pos]
		switch {
		case c == '"':
			r.pos++
			if !utf8.Valid(out) {
				return "", r.fail("invalid UTF-8 in a string")
			}
			return string(out), nil
		case c < 0x20:
			return "", r.fail("control character in a string")
		case c != '\\':
			out = append(out, c)
			r.pos++
		default:
			var err error
			if out, err = r.escape(out); err != nil {
				return "", err
			}
		}
	}
	return "", r.fail("string without an end")
}

var escapes = map[byte]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (r *Reader) escape(out []byte) ([]byte, error) {
	if r.pos+1 >= len(r.data) {
		return nil, r.fail("string without an end")
	}
	c := r.data[r.pos+1]
	if b, ok := escapes[c]; ok {
		r.pos += 2
		return append(out, b), nil
	}
	if c != 'u' {
		return nil, r.fail("unknown escape \\%c", c)
	}
	u, ok := r.hex(r.pos)
	if !ok {
		return nil, r.fail("bad \\u escape")
	}
	r.pos += 6
	if !utf16.IsSurrogate(u) {
		return utf8.AppendRune(out, u), nil
	}
	low, ok := r.hex(r.pos)
	pair := utf16.DecodeRune(u, low)
	if !ok || pair == utf8.RuneError {
		return nil, r.fail("lone surrogate escape")
	}
	r.pos += 6
	return utf8.AppendRune(out, pair), nil
}

// hex reads \uXXXX at offset at.
func (r *Reader) hex(at int) (rune, bool) {
	if at+6 > len(r.data) || r.data[at] != '\\' || r.data[at+1] != 'u' {
		return 0, false
	}
	u, err := strconv.ParseUint(string(r.data[at+2:at+6]), 16, 16)
	return rune(u), err == nil
}

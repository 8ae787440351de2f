// Package strictjson reads JSON that decides over access: token headers and
// claims, request bodies, the users file.
//
// encoding/json is lax where an attacker likes it: it matches names without
// case, keeps the last of two equal names, ignores what follows the value and
// replaces invalid UTF-8. Here each of these is an error, at every depth.
//
// A Reader walks one document in one pass without reflection, which is what
// the verification of a token can afford. Unmarshal fills a struct, which is
// what files and request bodies want. Both keep to one promise: what was read
// is the only thing that the bytes can mean.
package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// MaxDepth is how deep objects and arrays may nest.
const MaxDepth = 16

// Reader reads one JSON document from the front. Its methods consume exactly
// one value each and return an error that names the line and the
// column, both from 1, the column in bytes.
type Reader struct {
	data  []byte
	pos   int
	depth int
	place string // in the document, for errors; only Unmarshal sets it
}

// NewReader returns a Reader over data, which it does not copy.
func NewReader(data []byte) *Reader { return &Reader{data: data} }

func (r *Reader) fail(format string, args ...any) error {
	before := r.data[:r.pos]
	line, column := bytes.Count(before, []byte("\n"))+1, r.pos-bytes.LastIndexByte(before, '\n')
	text := fmt.Sprintf(format, args...)
	if r.place != "" {
		text = r.place + ": " + text
	}
	return fmt.Errorf("json: line %d, column %d: %s", line, column, text)
}

func (r *Reader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// peek returns the first byte of the next token, 0 at the end.
func (r *Reader) peek() byte {
	r.space()
	if r.pos == len(r.data) {
		return 0
	}
	return r.data[r.pos]
}

func (r *Reader) expect(c byte) error {
	if r.peek() != c {
		return r.fail("expected %q", c)
	}
	r.pos++
	return nil
}

// End reports an error if anything but white space follows.
func (r *Reader) End() error {
	if r.peek() != 0 || r.pos != len(r.data) {
		return r.fail("unexpected data after the value")
	}
	return nil
}

// Object reads an object and calls member for each name; member consumes the
// value. A name that occurs twice is an error.
func (r *Reader) Object(member func(name string) error) error {
	if err := r.enter('{'); err != nil {
		return err
	}
	var seen names
	for first := true; ; first = false {
		if done, err := r.next(first, '}'); done || err != nil {
			return err
		}
		name, err := r.String()
		if err != nil {
			return err
		}
		if !seen.add(name) {
			return r.fail("duplicate name %q", name)
		}
		if err := r.expect(':'); err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
}

// Array reads an array and calls element before each of its values; element
// consumes the value.
func (r *Reader) Array(element func() error) error {
	if err := r.enter('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		if done, err := r.next(first, ']'); done || err != nil {
			return err
		}
		if err := element(); err != nil {
			return err
		}
	}
}

func (r *Reader) enter(open byte) error {
	if err := r.expect(open); err != nil {
		return err
	}
	if r.depth++; r.depth > MaxDepth {
		return r.fail("nested deeper than %d", MaxDepth)
	}
	return nil
}

// next steps over the separator in front of a member, or over the closing byte.
func (r *Reader) next(first bool, closing byte) (done bool, err error) {
	if r.peek() == closing {
		r.pos++
		r.depth--
		return true, nil
	}
	if first {
		return false, nil
	}
	if err := r.expect(','); err != nil {
		return false, err
	}
	if r.peek() == closing {
		return false, r.fail("expected a value after the comma")
	}
	return false, nil
}

// Int reads an integer: no fraction, no exponent, within ±2^53, the range in
// which all JSON readers agree.
func (r *Reader) Int() (int64, error) {
	raw, err := r.number()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n > 1<<53 || n < -(1<<53) {
		return 0, r.fail("expected an integer within 2^53")
	}
	return n, nil
}

// Bool reads true or false.
func (r *Reader) Bool() (bool, error) {
	switch r.peek() {
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	}
	return false, r.fail("expected true or false")
}

func (r *Reader) word(w string) error {
	if len(r.data)-r.pos < len(w) || string(r.data[r.pos:r.pos+len(w)]) != w {
		return r.fail("expected %s", w)
	}
	r.pos += len(w)
	return nil
}

// number reads a number by the grammar of RFC 8259 section 6.
func (r *Reader) number() (string, error) {
	r.space()
	start := r.pos
	digits := func() bool {
		at := r.pos
		for r.pos < len(r.data) && r.data[r.pos] >= '0' && r.data[r.pos] <= '9' {
			r.pos++
		}
		return r.pos > at
	}
	has := func(set string) bool {
		if r.pos < len(r.data) {
			for i := range len(set) {
				if set[i] == r.data[r.pos] {
					r.pos++
					return true
				}
			}
		}
		return false
	}
	has("-")
	if !has("0") && !digits() {
		return "", r.fail("expected a number")
	}
	if has(".") && !digits() {
		return "", r.fail("expected digits after the point")
	}
	if has("eE") {
		has("+-")
		if !digits() {
			return "", r.fail("expected digits in the exponent")
		}
	}
	return string(r.data[start:r.pos]), nil
}

// Raw checks any one value and returns its bytes.
func (r *Reader) Raw() ([]byte, error) {
	r.space()
	start := r.pos
	var err error
	switch c := r.peek(); c {
	case '{':
		err = r.Object(func(string) error { _, err := r.Raw(); return err })
	case '[':
		err = r.Array(func() error { _, err := r.Raw(); return err })
	case '"':
		_, err = r.String()
	case 't', 'f':
		_, err = r.Bool()
	case 'n':
		err = r.word("null")
	case 0:
		err = errors.New("json: unexpected end")
	default:
		_, err = r.number()
	}
	return r.data[start:r.pos], err
}

// names is a set that is a slice while it is small, as most objects are.
type names struct {
	few  []string
	many map[string]struct{}
}

func (n *names) add(name string) bool {
	if n.many == nil {
		for _, s := range n.few {
			if s == name {
				return false
			}
		}
		if n.few = append(n.few, name); len(n.few) > 24 {
			n.many = make(map[string]struct{}, 2*len(n.few))
			for _, s := range n.few {
				n.many[s] = struct{}{}
			}
		}
		return true
	}
	if _, dup := n.many[name]; dup {
		return false
	}
	n.many[name] = struct{}{}
	return true
}

// IsArray reports whether the next value is an array.
func (r *Reader) IsArray() bool { return r.peek() == '[' }

// IsObject reports whether the next value is an object.
func (r *Reader) IsObject() bool { return r.peek() == '{' }

// IsString reports whether the next value is a string.
func (r *Reader) IsString() bool { return r.peek() == '"' }

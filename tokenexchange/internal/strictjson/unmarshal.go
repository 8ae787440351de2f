package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Unmarshal checks data strictly and decodes it into v, a pointer to a struct.
// Names must equal a json tag letter for letter. Errors are for who writes the
// document: they name the line, the column, the place, as in
// "users[2].pasword_hash: unknown name", and what was expected there. What they
// found they name by its kind, and quote only what should be a time: any other
// value may be a secret.
func Unmarshal(data []byte, v any) error {
	if err := begins(data); err != nil {
		return err
	}
	r := NewReader(data)
	if err := r.conform("", reflect.TypeOf(v).Elem()); err != nil {
		return err
	}
	if err := r.End(); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		// Not expected: conform held every kind. Its text would name Go's types.
		return errors.New("json: a value does not fit; expected what the names before it say")
	}
	return nil
}

// begins refuses what is no JSON object from its first byte on.
func begins(data []byte) error {
	text := bytes.TrimLeft(data, " \t\r\n")
	for _, c := range []struct {
		found bool
		what  string
	}{
		{len(text) == 0, "it is empty"},
		{bytes.HasPrefix(text, []byte("\xef\xbb\xbf")), "it begins with a byte order mark (EF BB BF)"},
		{bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")), "it begins with a byte order mark of UTF-16"},
		{bytes.HasPrefix(text, []byte("//")) || bytes.HasPrefix(text, []byte("/*")) || bytes.HasPrefix(text, []byte("#")), "it begins with a comment"},
	} {
		if c.found {
			return fmt.Errorf("%s; expected a JSON object in UTF-8, which begins with {", c.what)
		}
	}
	return nil
}

// conform reads one value, and holds the names of its objects and its kinds
// against typ.
func (r *Reader) conform(place string, typ reflect.Type) error {
	around := r.place
	r.place = place
	if err := r.fits(place, typ); err != nil {
		return err
	}
	r.place = around
	return nil
}

func (r *Reader) fits(place string, typ reflect.Type) (err error) {
	if typ.Kind() == reflect.Pointer {
		if r.found() == kindNull {
			return r.word("null")
		}
		typ = typ.Elem()
	}
	found, expected := r.found(), expectation(typ)
	switch {
	case expected.kind != "" && found != expected.kind:
		return r.fail("expected %s, found %s", expected.text, found)
	case typ == timeType:
		return r.time(expected.text)
	case typ.Kind() == reflect.Struct:
		return r.members(place, typ)
	case typ.Kind() == reflect.Slice:
		i := -1
		return r.Array(func() error {
			i++
			return r.conform(fmt.Sprintf("%s[%d]", place, i), typ.Elem())
		})
	case typ.Kind() == reflect.Int:
		_, err = r.Int()
	default:
		_, err = r.Raw()
	}
	return err
}

// members reads an object of the names that typ has.
func (r *Reader) members(place string, typ reflect.Type) error {
	fields := fieldTypes(typ)
	return r.Object(func(name string) error {
		at := strings.TrimPrefix(place+"."+name, ".")
		field, ok := fields[name]
		if !ok {
			r.place = at
			return r.fail("unknown name; expected one of %s", strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
		}
		return r.conform(at, field)
	})
}

// time reads a time as encoding/json does.
func (r *Reader) time(expected string) error {
	start := *r
	raw, err := r.Raw()
	if err == nil && new(time.Time).UnmarshalJSON(raw) != nil {
		found := string(raw)
		if len(raw) > 40 { // It was meant for another place.
			found = "a longer string"
		}
		return start.fail("expected %s, found %s", expected, found)
	}
	return err
}

// The kinds of JSON values, in the words of a message.
const (
	kindString = "a string"
	kindNumber = "a number"
	kindBool   = "true or false"
	kindObject = "an object"
	kindList   = "a list"
	kindNull   = "null"
	kindNone   = "something that begins no JSON value"
	kindEnd    = "the end"
)

// found is the kind of the next value by how it begins.
func (r *Reader) found() string {
	r.space()
	rest := r.data[r.pos:]
	if len(rest) == 0 {
		return kindEnd
	}
	for _, k := range []struct{ begins, kind string }{
		{`"`, kindString}, {"{", kindObject}, {"[", kindList}, {"true", kindBool}, {"false", kindBool}, {"null", kindNull},
	} {
		if bytes.HasPrefix(rest, []byte(k.begins)) {
			return k.kind
		}
	}
	if digits := bytes.TrimPrefix(rest, []byte("-")); len(digits) > 0 && digits[0] >= '0' && digits[0] <= '9' {
		return kindNumber
	}
	return kindNone
}

var timeType = reflect.TypeFor[time.Time]()

// expectation is the kind of value that a type takes, "" for any, and the words
// for it.
func expectation(typ reflect.Type) (e struct{ kind, text string }) {
	switch {
	case typ == timeType:
		e.kind, e.text = kindString, "a time such as 2026-12-31T00:00:00Z"
		return e
	case typ.Kind() == reflect.String:
		e.kind = kindString
	case typ.Kind() == reflect.Bool:
		e.kind = kindBool
	case typ.Kind() == reflect.Int:
		e.kind = kindNumber
	case typ.Kind() == reflect.Struct:
		e.kind = kindObject
	case typ.Kind() == reflect.Slice:
		e.kind = kindList
	}
	e.text = e.kind
	return e
}

func fieldTypes(typ reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type, typ.NumField())
	for i := range typ.NumField() {
		f := typ.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			fields[name] = f.Type
		}
	}
	return fields
}

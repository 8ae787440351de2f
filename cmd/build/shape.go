package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// checkShape compares the document with the type that it is meant for. The
// decoder of encoding/json alone is not enough: it takes the last of two equal
// names, matches names without regard to case, reads null as nothing, and
// stops looking after the first value.
func checkShape(data []byte, target any) error {
	s := shape{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	s.dec.UseNumber()
	if err := s.value(reflect.TypeOf(target), ""); err != nil {
		return err
	}
	if _, err := s.dec.Token(); !errors.Is(err, io.EOF) {
		return s.errorf("", "expected nothing after the end of the object")
	}
	return nil
}

type shape struct {
	data []byte
	dec  *json.Decoder
}

// errorf says where, by line and field, what is wrong.
func (s *shape) errorf(at, format string, args ...any) error {
	line := 1 + bytes.Count(s.data[:s.dec.InputOffset()], []byte("\n"))
	if at != "" {
		at += ": "
	}
	return fmt.Errorf("line %d: %s%s", line, at, fmt.Sprintf(format, args...))
}

func (s *shape) token(at string) (json.Token, error) {
	token, err := s.dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, s.errorf(at, "expected JSON: %v", err)
	}
	return token, nil
}

func (s *shape) value(t reflect.Type, at string) error {
	token, err := s.token(at)
	if err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Struct:
		if token != json.Delim('{') {
			return s.errorf(at, "expected an object, got %s", describe(token))
		}
		return s.object(fieldTypes(t), at)
	case reflect.Slice:
		if token != json.Delim('[') {
			return s.errorf(at, "expected an array, got %s", describe(token))
		}
		return s.array(t.Elem(), at)
	case reflect.String:
		if _, ok := token.(string); !ok {
			return s.errorf(at, "expected a string, got %s", describe(token))
		}
	case reflect.Bool:
		if _, ok := token.(bool); !ok {
			return s.errorf(at, "expected true or false, got %s", describe(token))
		}
	case reflect.Int64:
		number, ok := token.(json.Number)
		if !ok {
			return s.errorf(at, "expected a whole number of nanoseconds, got %s", describe(token))
		}
		if n, err := number.Int64(); err != nil || n < 0 {
			return s.errorf(at, "expected a whole number of nanoseconds, got %s", number)
		}
	default:
		return s.errorf(at, "the type %v cannot be read", t)
	}
	return nil
}

func (s *shape) object(fields map[string]reflect.Type, at string) error {
	seen := map[string]bool{}
	for s.dec.More() {
		token, err := s.token(at)
		if err != nil {
			return err
		}
		name := token.(string) // The decoder lets nothing else stand here.
		field := strings.TrimPrefix(at+"."+name, ".")
		t, known := fields[name]
		if !known {
			return s.errorf(field, "unknown field; expected one of %s", names(fields))
		}
		if seen[name] {
			return s.errorf(field, "given twice")
		}
		seen[name] = true
		if err := s.value(t, field); err != nil {
			return err
		}
	}
	_, err := s.token(at)
	return err
}

func (s *shape) array(elem reflect.Type, at string) error {
	for i := 0; s.dec.More(); i++ {
		if err := s.value(elem, fmt.Sprintf("%s[%d]", at, i)); err != nil {
			return err
		}
	}
	_, err := s.token(at)
	return err
}

// fieldTypes lists the JSON names of a struct, with those of embedded structs.
func fieldTypes(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			for name, inner := range fieldTypes(field.Type) {
				fields[name] = inner
			}
		case field.IsExported() && name != "" && name != "-":
			fields[name] = field.Type
		}
	}
	return fields
}

func names(fields map[string]reflect.Type) string {
	var list []string
	for name := range fields {
		list = append(list, name)
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func describe(token json.Token) string {
	switch token := token.(type) {
	case json.Delim:
		if token == '{' {
			return "an object"
		}
		return "an array"
	case string:
		return fmt.Sprintf("the string %q", token)
	case nil:
		return "null"
	default:
		return fmt.Sprint(token)
	}
}

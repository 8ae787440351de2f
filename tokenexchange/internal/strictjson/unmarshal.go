package strictjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Unmarshal checks data strictly and decodes it into v, a pointer to a struct.
// Names must equal a json tag letter for letter; an unknown name is an error
// that names its place, as in "users[2].pasword_hash: unknown name".
func Unmarshal(data []byte, v any) error {
	r := NewReader(data)
	if err := r.conform("", reflect.TypeOf(v).Elem()); err != nil {
		return err
	}
	if err := r.End(); err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// conform reads one value and holds the names of its objects against typ.
func (r *Reader) conform(place string, typ reflect.Type) error {
	pointer := typ.Kind() == reflect.Pointer
	if pointer {
		typ = typ.Elem()
	}
	switch c := r.peek(); {
	case c == '{' && typ.Kind() == reflect.Struct:
		fields := fieldTypes(typ)
		return r.Object(func(name string) error {
			at := strings.TrimPrefix(place+"."+name, ".")
			field, ok := fields[name]
			if !ok {
				return fmt.Errorf("%s: unknown name", at)
			}
			return r.conform(at, field)
		})
	case c == '[' && typ.Kind() == reflect.Slice:
		i := -1
		return r.Array(func() error {
			i++
			return r.conform(fmt.Sprintf("%s[%d]", place, i), typ.Elem())
		})
	}
	if r.peek() == 'n' && typ.Kind() != reflect.Interface && !pointer {
		return r.fail("%s: expected a value, found null", place)
	}
	_, err := r.Raw()
	if err != nil && place != "" {
		return fmt.Errorf("%s: %w", place, err)
	}
	return err
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

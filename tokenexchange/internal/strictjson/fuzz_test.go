package strictjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzReader holds that whatever the strict reader accepts, encoding/json
// accepts too, with the same value: strictness never invents documents. What
// it refuses, a second reader has a reason to refuse as well.
func FuzzReader(f *testing.F) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for _, s := range []string{
		`{"a":[1,2.5e-3,"x\u0041",true,null]}`, `[]`, `"\ud83d\ude00"`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `-0`, `01`, `1.`, `1e`, `+1`,
		`{"a":{"b":{"c":[{},[],""]}}}`, "\ufeff{}", "{}\x00", "\x00", `{"a":"\ud800"}`, "\"\xff\"", `"\u00e4\/\b"`, `[1,]`, `{"a":1,}`, ` [ 1 , 2 ] `,
		deep(MaxDepth), deep(MaxDepth + 1), `{"":0," ":1}`, "\"\u2028\u007f\"", `"\uDC00"`, `nul`, `nulll`, `tru`, `[null]x`, `9007199254740993`, `1E+2`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := NewReader(data)
		got, err := r.value()
		if err == nil {
			err = r.End()
		}
		raw := NewReader(data)
		text, rawErr := raw.Raw()
		if rawErr == nil {
			rawErr = raw.End()
		}
		if (err == nil) != (rawErr == nil) {
			t.Fatalf("%q: read by its parts: %v, as a whole: %v", data, err, rawErr)
		}
		if err != nil {
			if twice, deep := judge(data); json.Valid(data) && utf8.Valid(data) && !twice && !deep && !bytes.Contains(data, []byte(`\u`)) {
				t.Errorf("refused %q (%v), in which nothing is wrong", data, err)
			}
			return
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil || !json.Valid(data) {
			t.Fatalf("accepted %q, which is not JSON: %v", data, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %#v, encoding/json has %#v", data, got, want)
		}
		if string(text) != strings.Trim(string(data), " \t\r\n") {
			t.Errorf("%q: Raw returned %q", data, text)
		}
		if twice, deep := judge(data); twice || deep || !utf8.Valid(data) {
			t.Errorf("accepted %q with a duplicate name (%v), nested too deep (%v) or with invalid UTF-8", data, twice, deep)
		}
	})
}

// value reads any value by the parts that readers of claims use.
func (r *Reader) value() (any, error) {
	switch c := r.peek(); {
	case c == '{':
		out := map[string]any{}
		err := r.Object(func(name string) (err error) {
			out[name], err = r.value()
			return err
		})
		return out, err
	case r.IsArray():
		out := []any{}
		err := r.Array(func() error {
			v, err := r.value()
			out = append(out, v)
			return err
		})
		return out, err
	case c == '"':
		return r.String()
	case c == 't' || c == 'f':
		return r.Bool()
	case c == 'n':
		return nil, r.word("null")
	}
	text, err := r.number()
	return json.Number(text), err
}

// judge walks the tokens of encoding/json, which has no opinion on duplicate
// names, and 10,000 levels.
func judge(data []byte) (twice, deep bool) {
	type level struct {
		names  map[string]bool // nil for an array
		expect bool            // a name comes next
	}
	var levels []level
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	for {
		token, err := dec.Token()
		if err != nil {
			return twice, deep
		}
		top := len(levels) - 1
		name, isText := token.(string)
		if isText && top >= 0 && levels[top].expect {
			twice = twice || levels[top].names[name]
			levels[top].names[name], levels[top].expect = true, false
			continue
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{map[string]bool{}, true})
		case json.Delim('['):
			levels = append(levels, level{})
		case json.Delim('}'), json.Delim(']'):
			levels = levels[:top]
		}
		deep = deep || len(levels) > MaxDepth
		if top = len(levels) - 1; top >= 0 && levels[top].names != nil && token != json.Delim('{') {
			levels[top].expect = true
		}
	}
}

// FuzzUnmarshal holds the same for documents that fill a struct.
func FuzzUnmarshal(f *testing.F) {
	for _, s := range []string{
		`{"name":"a","items":[{"id":1}],"any":{"x":[1,null]}}`, `{"Name":"a"}`, `{"name":null}`, `{"items":[{"id":1,"id":2}]}`,
		`{"name":"a"}{}`, `{"any":null}`, `{}`, `null`, `[]`, `"x"`, `{"items":[[]]}`, `{"items":{}}`, `{"any":{"a":1,"a":1}}`, `{"items":[{"id":1e0}]}`,
		`{"at":"2026-12-31T00:00:00Z","yes":true}`, `{"at":"2026-12-31"}`, `{"at":null,"yes":"x"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want doc
		if err := Unmarshal(data, &got); err != nil {
			if strings.Contains(err.Error(), "does not fit") {
				t.Errorf("%q: its kinds were held to be right", data)
			}
			return
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&want); err != nil || !json.Valid(data) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, encoding/json has %+v, %v", data, got, want, err)
		}
		if twice, deep := judge(data); twice || deep {
			t.Errorf("accepted %q with a duplicate name (%v) or nested too deep (%v)", data, twice, deep)
		}
	})
}

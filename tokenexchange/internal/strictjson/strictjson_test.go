package strictjson

import (
	"strings"
	"testing"
	"time"
)

type doc struct {
	At    *time.Time `json:"at"`
	Yes   bool       `json:"yes"`
	Name  string     `json:"name"`
	Items []item     `json:"items"`
	Any   any        `json:"any"`
}

type item struct {
	ID int `json:"id"`
}

// A users file has many lines, and an offset is hard to find in it.
func TestPlaceOfAnError(t *testing.T) {
	for data, want := range map[string]string{
		"[1,]":               "line 1, column 4:",
		"[\n  1,\n  2,\n]\n": "line 4, column 1:",
		"[\n  1,\n  x]":      "line 3, column 3:",
	} {
		if _, err := NewReader([]byte(data)).Raw(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", data, err, want)
		}
	}
}

func TestUnmarshal(t *testing.T) {
	cases := []struct{ name, in, want string }{
		{"good", `{"name":"a","items":[{"id":1},{"id":-2}],"any":{"x":[1.5e3,true,null]}}`, ""},
		{"escapes", `{"name":"\u00e4\ud83d\ude00\n"}`, ""},
		{"unknown name", `{"nam":"a"}`, "line 1, column 8: nam: unknown name; expected one of any, at, items, name, yes"},
		{"case", `{"Name":"a"}`, "Name: unknown name"},
		{"nested unknown", `{"items":[{"id":1},{"Id":2}]}`, "items[1].Id: unknown name"},
		{"duplicate", `{"name":"a","name":"b"}`, `duplicate name "name"`},
		{"duplicate by escape", `{"name":"a","n\u0061me":"b"}`, `duplicate name "name"`},
		{"duplicate deep", `{"any":{"x":[{"y":1,"y":1}]}}`, `duplicate name "y"`},
		{"trailing", `{"name":"a"} {}`, "after the value"},
		{"trailing comma", `{"name":"a",}`, "after the comma"},
		{"missing comma", `{"name":"a" "any":1}`, "expected ','"},
		{"utf8", "{\"name\":\"\xff\"}", "invalid UTF-8"},
		{"utf8 after an escape", "{\"name\":\"\\n\xff\"}", "invalid UTF-8"},
		{"lone surrogate", `{"name":"\ud800"}`, "lone surrogate"},
		{"lone low surrogate", `{"name":"\udc00\ud800"}`, "lone surrogate"},
		{"control", "{\"name\":\"a\x01\"}", "control character"},
		{"leading zero", `{"items":[{"id":01}]}`, "expected ','"},
		{"plus", `{"items":[{"id":+1}]}`, "expected a number"},
		{"deep", `{"any":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "nested deeper"},
		{"empty", ``, "it is empty; expected a JSON object"},
		{"blanks", "\n \n", "it is empty; expected a JSON object"},
		{"a byte order mark", "\ufeff{}", "it begins with a byte order mark (EF BB BF); expected a JSON object"},
		{"UTF-16", "\xff\xfe{\x00}\x00", "it begins with a byte order mark of UTF-16; expected a JSON object"},
		{"a comment", "\n// users\n{}", "it begins with a comment; expected a JSON object"},
		{"a PEM file", "-----BEGIN", "expected an object, found something that begins no JSON value"},
		{"a list", "[]", "line 1, column 1: expected an object, found a list"},
		{"YAML", "name: a", "line 1, column 1: expected an object, found something that begins no JSON value"},
		{"only its beginning", `{"name":`, "column 9: name: expected a string, found the end"},
		{"cut", `{"name":"a`, "without an end"},
		{"wrong type", `{"name":1}`, "line 1, column 9: name: expected a string, found a number"},
		{"a list for a string", `{"name":["a"]}`, "name: expected a string, found a list"},
		{"a string for a list", "{\n \"items\": \"a\"}", "line 2, column 11: items: expected a list, found a string"},
		{"a string for an object", `{"items":[{"id":1},"a"]}`, "items[1]: expected an object, found a string"},
		{"a string for a number", `{"items":[{"id":"1"}]}`, "items[0].id: expected a number, found a string"},
		{"a fraction for a number", `{"items":[{"id":1.5}]}`, "items[0].id: expected an integer"},
		{"a string for a bool", `{"yes":"yes"}`, "yes: expected true or false, found a string"},
		{"a word for a bool", `{"yes":yes}`, "yes: expected true or false, found something that begins no JSON value"},
		{"half a bool", `{"yes":tru}`, "yes: expected true or false, found something that begins no JSON value"},
		{"a time", `{"at":"2026-12-31T00:00:00Z"}`, ""},
		{"no time", `{"at":null}`, ""},
		{"a date for a time", `{"at":"2026-01-31"}`, `line 1, column 7: at: expected a time such as 2026-12-31T00:00:00Z, found "2026-01-31"`},
		{"a number for a time", `{"at":1}`, "at: expected a time such as 2026-12-31T00:00:00Z, found a number"},
		{"a long text for a time", `{"at":"` + strings.Repeat("x", 50) + `"}`, "found a longer string"},
		{"null for a string", `{"name":null}`, "name: expected a string, found null"},
		{"null for an array", `{"items":null}`, "items: expected a list, found null"},
		{"null for an element", `{"items":[{"id":1},null]}`, "items[1]: expected an object, found null"},
		{"null for anything", `{"any":null}`, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var d doc
			err := Unmarshal([]byte(c.in), &d)
			if c.want == "" && err != nil {
				t.Fatalf("got error %v, want none", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got error %v, want one with %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "Go ") {
				t.Errorf("the error names what only Go has: %v", err)
			}
		})
	}
}

func TestInt(t *testing.T) {
	for in, ok := range map[string]bool{"0": true, "-5": true, "253402300799": true, "1.0": false, "1e3": false, "9007199254740993": false, `"1"`: false, "99999999999999999999": false} {
		if _, err := NewReader([]byte(in)).Int(); (err == nil) != ok {
			t.Errorf("Int(%s): got error %v, want ok=%v", in, err, ok)
		}
	}
}

package strictjson

import (
	"encoding/json"
	"testing"
)

// What encoding/json takes, and this reader does not (docs/floor.md).
func TestTrap20EncodingJSONIsLax(t *testing.T) {
	for name, in := range map[string]string{
		"another case":      `{"NAME":"b"}`,
		"twice":             `{"name":"a","name":"b"}`,
		"twice, both cases": `{"name":"a","Name":"b"}`,
		"twice, escaped":    `{"name":"a","n\u0061me":"b"}`,
		"invalid UTF-8":     "{\"name\":\"b\",\"any\":\"\xff\"}",
		"a lone surrogate":  `{"name":"b","any":"\ud800"}`,
		"an unknown name":   `{"name":"b","nmae":"c"}`,
	} {
		var d doc
		if err := json.Unmarshal([]byte(in), &d); err != nil || d.Name != "b" {
			t.Errorf("%s: encoding/json reads %q now, %v", name, d.Name, err)
		}
		if err := Unmarshal([]byte(in), &doc{}); err == nil {
			t.Errorf("%s: the strict reader accepts it", name)
		}
	}
}

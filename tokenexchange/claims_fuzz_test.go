package tokenexchange

import (
	"encoding/json"
	"slices"
	"testing"
)

// What is read of claims is what the standard library finds under the same names.
func FuzzForeignClaims(f *testing.F) {
	for _, text := range []string{
		clerk, writer, `{}`, `{"groups":["a",1,null],"a":{"b":"x","c":{}},"email":"x","email_verified":"true"}`, `{"a.b":"x","a":{"b":"y"}}`,
		`{"groups":"\u0000\ud83d\ude00"}`, `{"a":[{"b":"x"}]}`,
	} {
		f.Add([]byte(text))
	}
	names := []string{"groups", "a.b", "email", "sub"}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := readClaims(data, names)
		if err != nil {
			return
		}
		var all map[string]any
		if err := json.Unmarshal(data, &all); err != nil {
			t.Fatalf("read what is no JSON: %v", err)
		}
		find := func(name string) any {
			if value, ok := all[name]; ok || name != "a.b" {
				return value
			}
			inner, _ := all["a"].(map[string]any)
			return inner["b"]
		}
		for _, name := range names {
			text, isText := find(name).(string)
			if got, kept := c.Texts[name]; kept && (!isText || got != text) || !kept && isText && (name != "email" || all["email_verified"] == true) {
				t.Errorf("%s: got %q, %v, want %v", name, got, kept, find(name))
			}
			list, _ := find(name).([]any)
			for _, value := range c.Lists[name] {
				if !slices.Contains(list, any(value)) {
					t.Errorf("%s: %q is not in %v", name, value, list)
				}
			}
		}
	})
}

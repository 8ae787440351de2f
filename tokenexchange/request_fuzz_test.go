package tokenexchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParameters reads arbitrary bodies. What is accepted says the same to a
// second, slow reader, and every refusal has a reason.
func FuzzParameters(f *testing.F) {
	for _, body := range []string{
		"grant_type=client_credentials&scope=a+b%20c", "a=1&a=2", "a=1;b=2", "a=%zz", "a=%4", "=x", "&&a", "a==b=c", "%61=1&a=2",
		"allowed_resource_scope=", "allowedResourceScopes=x", "orgId=a&org_id=b", "state=%ff", "subject_ip=1", "scope=%00", "a=\x00\r\n",
		"target-audience=x", "a=b#c", "client_secret=+%2B%25", "AUDIENCE=x",
	} {
		f.Add(false, []byte(body))
	}
	for _, body := range []string{
		`{"grant_type":"password","accessTokenValiditySeconds":60}`, `{"servicesPermissionsScopesDto":{"servicesScopes":[]}}`,
		`{"scope":"a","scope":"b"}`, `{"sc\u006fpe":"a","scope":"b"}`, `{"scope":null,"x":{"y":[1]}}`, `{"scope":["a"]}`, `{"audience":{}}`,
		`{"a":1} {}`, `[]`, `{"a":-1.5e+3,"b":true}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, `{"Audience":"x"}`, "\ufeff{}", `{"subject_ip":""}`,
		`{"x":{"y":1,"y":2}}`,
	} {
		f.Add(true, []byte(body))
	}
	f.Fuzz(func(t *testing.T, isJSON bool, body []byte) {
		r := httptest.NewRequest("POST", "/oauth2/token", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		read := slowForm
		if isJSON {
			r.Header.Set("Content-Type", "application/json")
			read = slowJSON
		}
		got, err := readParameters(r)
		var refusal *Refused
		if err != nil {
			if !errors.As(err, &refusal) {
				t.Errorf("got the error %v, want a refusal with a reason", err)
			}
			return
		}
		want, ok := read(body)
		if !ok {
			t.Fatalf("accepted %q, which no strict reader does", body)
		}
		for name, value := range want {
			if len(name) > 0 && value == "" && (name == "allowed_resource_scope" || name == "servicesPermissionsScopesDto") {
				t.Errorf("%s is empty and was accepted", name)
			}
			if _, exact := got[name]; !exact && value != "" {
				t.Errorf("the parameter %q got lost", name)
			}
		}
		maps.DeleteFunc(want, func(_, value string) bool { return value == "" })
		if !maps.Equal(map[string]string(got), want) {
			t.Errorf("got %q, want %q", got, want)
		}
		for name := range got {
			plain := strings.TrimSuffix(strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name)), "s")
			for _, bound := range []string{"targetaudience", "allowedresourcescope", "subjecttoken", "audience", "orgid"} {
				if plain == bound && !rightSpelling[name] {
					t.Errorf("%q was accepted, a near miss of a parameter that narrows", name)
				}
			}
		}
	})
}

var rightSpelling = map[string]bool{
	"target_audience": true, "allowed_resource_scope": true, "subject_token": true, "audience": true, "orgId": true, "org_id": true,
}

// slowForm reads application/x-www-form-urlencoded byte by byte.
func slowForm(body []byte) (map[string]string, bool) {
	out := map[string]string{}
	if bytes.ContainsRune(body, ';') {
		return nil, false
	}
	for pair := range strings.SplitSeq(string(body), "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, ok1 := slowUnescape(name)
		value, ok2 := slowUnescape(value)
		_, twice := out[name]
		if !ok1 || !ok2 || twice || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return nil, false
		}
		out[name] = value
	}
	return out, true
}

func slowUnescape(s string) (string, bool) {
	const digits = "0123456789abcdef"
	var out []byte
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			out = append(out, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			high, low := strings.IndexByte(digits, s[i+1]|0x20), strings.IndexByte(digits, s[i+2]|0x20)
			if high < 0 || low < 0 {
				return "", false
			}
			out = append(out, byte(high<<4|low))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out), true
}

// slowJSON reads one flat object with encoding/json and counts the names.
func slowJSON(body []byte) (map[string]string, bool) {
	out := map[string]string{}
	if !utf8.Valid(body) {
		return nil, false
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, false
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, false
		}
		key := name.(string)
		if _, twice := out[key]; twice {
			return nil, false
		}
		var text string
		switch {
		case raw[0] == '"':
			if json.Unmarshal(raw, &text) != nil {
				return nil, false
			}
		case raw[0] == '-', raw[0] >= '0' && raw[0] <= '9':
			switch key {
			case "accessTokenValiditySeconds", "refreshTokenValiditySeconds", "maxGroupsInIdToken":
				text = string(raw)
			}
		case raw[0] == '{' && key == "servicesPermissionsScopesDto":
			text = string(raw)
		}
		out[key] = text
	}
	if _, err := dec.Token(); err != nil {
		return nil, false
	}
	_, err := dec.Token()
	return out, errors.Is(err, io.EOF)
}

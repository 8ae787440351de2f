package outside

import (
	"strings"
	"testing"
)

func TestFindings(t *testing.T) {
	const x43 = "0123456789abcdefghijABCDEFGHIJ-_0123456789a"
	secrets := map[string]string{"correct horse": "a password"}
	for _, c := range []struct{ log, want string }{
		{`{"msg":"started"}`, ""},
		{`{"msg":"do not panic: it works"}`, ""},
		{"{}\npanic: nil map\n", "a panic"},
		{`http: panic serving 127.0.0.1`, "a panic"},
		{"WARNING: DATA RACE", "a panic"},
		{`{"token":"eyJhbGciOiJFUzI1NiJ9"}`, "a token or a code"},
		{`{"code":"0a1b2c3d.a-record-id.` + x43 + `"}`, "a token or a code"},
		{`{"refresh":"0a1b2c3d.a-record-id.17.` + x43 + `"}`, "a token or a code"},
		{`{"api_token":"abcdefghijklmn23.` + strings.Repeat("AB27", 13) + `"}`, "a token or a code"},
		{`{"password":"correct horse"}`, "a password"},
	} {
		found := Findings(c.log, secrets)
		if got, _, _ := strings.Cut(strings.Join(found, " "), ":"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.log, found, c.want)
		}
	}
}

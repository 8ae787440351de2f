package caddymodule

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange"
)

// TestSecretOfSeveralLines has two secrets where one is read. Taken for one, they
// are a secret that nobody presents.
func TestSecretOfSeveralLines(t *testing.T) {
	const one, two = "the-first-secret-of-two-lines", "the-second-secret-of-two-lines"
	hide("the first of two secrets", one)
	hide("the second of two secrets", two)
	w := newLive(t)
	for name, c := range map[string]struct{ text, want string }{
		"one":                      {one, ""},
		"a line":                   {one + "\n", ""},
		"a line of Windows":        {one + "\r\n", ""},
		"two":                      {one + "\n" + two, "holds more than one line; expected one secret"},
		"two lines":                {one + "\n" + two + "\n", "holds more than one line; expected one secret"},
		"two lines of Windows":     {one + "\r\n" + two + "\r\n", "holds more than one line; expected one secret"},
		"an empty line in between": {one + "\n\n" + two, "holds more than one line; expected one secret"},
	} {
		w.write(t, "secret", c.text)
		t.Setenv("SCOPEGATE_TEST_LINES", c.text)
		for _, ref := range []string{"{file." + w.path("secret") + "}", "{env.SCOPEGATE_TEST_LINES}"} {
			got, err := readSecret(tokenexchange.ReadFile, ref, true, "")
			if c.want == "" && (err != nil || got != one) {
				t.Errorf("%s: got %d bytes, %v, want the first secret", name, len(got), err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret-of")) {
				t.Errorf("%s: got %v, want an error with %s, and no secret in it", name, err, c.want)
			}
		}
	}
}

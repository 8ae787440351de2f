package outside

import "testing"

func TestShows(t *testing.T) {
	const text = "func f() {\n\tx := 1\n\tif x > 0 {\n\t\ty()\n\t}\n\tz()\n}\n"
	for block, want := range map[string]bool{
		"x := 1\nif x > 0 {\n\ty()\n}\n": true,
		"x := 1\n\nz()\n":                true, // Something is left out.
		"x := 1\nz()\n":                  false,
		"z()\n\nx := 1\n":                false,
		"if x > 0 {\ny()\n":              false, // Within a block the indent counts.
		"x := 2\n":                       false,
	} {
		if got := Shows(text, block); got != want {
			t.Errorf("%q: got %v, want %v", block, got, want)
		}
	}
}

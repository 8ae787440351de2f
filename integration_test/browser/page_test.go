package browser

import (
	"image/png"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// images are the pictures of docs/login.md, out of those that TestLooks takes.
// UPDATE_IMAGES=1 makes it write them to docs/images.
var images = []string{
	"login-en-light-768.png", "organizations-en-light-768.png", "consent-en-light-768.png",
	"consent-de-dark-320.png", "account-en-light-768.png", "failure-transaction-en-light-768.png",
}

const (
	imageFolder = "../../docs/images"
	// largestImage keeps a clone small.
	largestImage = 60 << 10
)

// TestPageShowsPictures holds the pictures of docs/login.md to those that a run
// takes, by their names, and keeps them small.
func TestPageShowsPictures(t *testing.T) {
	page, err := os.ReadFile("../../docs/login.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, match := range regexp.MustCompile(`!\[([^\]]{20,})\]\(images/([^)]+)\)`).FindAllStringSubmatch(string(page), -1) {
		shown = append(shown, match[2])
	}
	if all := strings.Count(string(page), "!["); all != len(shown) {
		t.Errorf("docs/login.md has %d pictures, of which %d are in docs/images and say what they show", all, len(shown))
	}
	kept, err := filepath.Glob(filepath.Join(imageFolder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range kept {
		kept[i] = filepath.Base(kept[i])
	}
	for what, got := range map[string][]string{"docs/login.md shows": shown, "docs/images has": kept} {
		want := slices.Sorted(slices.Values(images))
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s %q, want %q", what, got, want)
		}
	}
	for _, name := range kept {
		file, err := os.Open(filepath.Join(imageFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if about, err := png.DecodeConfig(file); err != nil || !strings.HasSuffix(name, "-"+strconv.Itoa(about.Width)+".png") {
			t.Errorf("%s: %d px wide, %v", name, about.Width, err)
		}
		if info, err := file.Stat(); err != nil || info.Size() > largestImage {
			t.Errorf("%s has %d bytes, want at most %d", name, info.Size(), largestImage)
		}
	}
}

// sources are the files of which the page shows parts, by the language of its
// blocks.
var sources = map[string]string{"caddyfile": "Caddyfile", "go": "webapp_test.go", "js": "app/app.mjs"}

// TestPageShowsApplications holds the blocks of code of docs/login.md to what
// the tests run; a blank line in a block may leave out what is between.
func TestPageShowsApplications(t *testing.T) {
	page, err := os.ReadFile("../../docs/login.md")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, block := range regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		file, known := sources[block[1]]
		if !known {
			continue
		}
		held++
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !outside.Shows(string(text), block[2]) {
			t.Errorf("%s has not this block of docs/login.md:\n%s", file, block[2])
		}
	}
	if held < 3 {
		t.Errorf("docs/login.md has %d blocks of the applications, want at least 3", held)
	}
}

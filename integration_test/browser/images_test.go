package browser

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// keepImages writes the pictures of docs/login.md, if it is told to.
func keepImages(t *testing.T, pictures string) {
	t.Helper()
	if os.Getenv("UPDATE_IMAGES") == "" {
		return
	}
	for _, name := range images {
		file, err := os.ReadFile(filepath.Join(pictures, name))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		var small bytes.Buffer
		encoder := png.Encoder{CompressionLevel: png.BestCompression}
		if err := encoder.Encode(&small, withFewColours(picture)); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(imageFolder, name), small.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fewColours are enough for pages that have two or three and the edges of letters.
const fewColours = 32

// withFewColours makes a picture small: each point gets the colour that is
// nearest to its own, of those that most points have.
func withFewColours(picture image.Image) image.Image {
	bounds, count := picture.Bounds(), map[color.Color]int{}
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			count[picture.At(x, y)]++
		}
	}
	most := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return cmp.Compare(count[b], count[a]) })
	small := image.NewPaletted(bounds, most[:min(len(most), fewColours)])
	nearest := map[color.Color]uint8{}
	for c := range count {
		nearest[c] = uint8(small.Palette.Index(c))
	}
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			small.SetColorIndex(x, y, nearest[picture.At(x, y)])
		}
	}
	return small
}

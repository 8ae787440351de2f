package integration_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// search finds many texts in one pass over a stream, in every form in which
// they could be carried on. It looks up the eight bytes at each place of the
// stream, so its time does not grow with the number of texts.
type search struct {
	byPrefix map[prefix][]wanted
	names    []string
}

// wanted is one text to find, and the number of the name that it belongs to.
type wanted struct {
	name       int
	form, text string
}

// prefix is what is looked up of a text. None may be shorter.
type prefix [prefixSize]byte

const prefixSize = 8

func newSearch() *search { return &search{byPrefix: map[prefix][]wanted{}} }

// whole has a text found where all of it stands.
func (s *search) whole(name, text string) {
	for _, n := range needles(text) {
		s.add(n, len(n.text))
	}
	s.names = append(s.names, name)
}

// fragment is how many characters of a secret in a row are a find.
const fragment = 16

// fragments has a text found where any part of it stands: half a secret in a
// log is one too.
func (s *search) fragments(name, text string) {
	for _, n := range needles(text) {
		s.add(n, min(fragment, len(n.text)))
	}
	s.names = append(s.names, name)
}

// add has each stretch of this size found, under the name that comes next.
func (s *search) add(n needle, size int) {
	for at := 0; at+size <= len(n.text); at++ {
		text := n.text[at : at+size]
		p := prefix([]byte(text))
		s.byPrefix[p] = append(s.byPrefix[p], wanted{len(s.names), n.form, text})
	}
}

// find names what is in the stream, each once, with the form in which it was
// found first.
func (s *search) find(stream []byte) (findings []string) {
	found := map[int]bool{}
	for _, view := range views(stream) {
		for at := 0; at+prefixSize <= len(view.data); at++ {
			for _, w := range s.byPrefix[prefix(view.data[at:])] {
				if !found[w.name] && bytes.HasPrefix(view.data[at:], []byte(w.text)) {
					found[w.name] = true
					findings = append(findings, fmt.Sprintf("%s as %s, %s", s.names[w.name], w.form, view.form))
				}
			}
		}
	}
	return findings
}

type view struct {
	form string
	data []byte
}

// views gives the stream as it is, with percent escapes decoded once and twice,
// and each of these without white space, which undoes the folding of headers.
func views(stream []byte) []view {
	list := []view{{"as received", stream}}
	for _, form := range []string{"percent-decoded", "percent-decoded twice"} {
		before := list[len(list)-1].data
		decoded := percentDecode(before)
		if bytes.Equal(decoded, before) {
			break
		}
		list = append(list, view{form, decoded})
	}
	for _, v := range list {
		folded := bytes.Map(func(r rune) rune {
			if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
				return -1
			}
			return r
		}, v.data)
		if len(folded) < len(v.data) {
			list = append(list, view{v.form + ", unfolded", folded})
		}
	}
	return list
}

// percentDecode decodes what it can and leaves the rest alone.
func percentDecode(in []byte) []byte {
	out := make([]byte, 0, len(in))
	for i := 0; i < len(in); i++ {
		if in[i] == '%' && i+2 < len(in) {
			if b, err := hex.DecodeString(string(in[i+1 : i+3])); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, in[i])
	}
	return out
}

type needle struct{ form, text string }

// needles gives the forms of a text that views does not undo. Base64 depends on
// how many bytes stand in front of the text: the three cases are encoded with
// bytes in front, and the characters that depend on neighbours are cut off.
func needles(text string) []needle {
	list := []needle{
		{"plain text", text},
		{"hex", hex.EncodeToString([]byte(text))},
	}
	for front := range 3 {
		padded := append(make([]byte, front), text...)
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			encoded := encoding.EncodeToString(padded)
			encoded = encoded[(front*8+5)/6:]
			if len(padded)%3 != 0 {
				encoded = encoded[:len(encoded)-1]
			}
			list = append(list, needle{"base64", encoded})
		}
	}
	return list
}

package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"unicode/utf8"
)

// look is the stylesheet and the logo.
type look struct {
	style template.CSS
	hash  string       // lets a page have this style and no other (CSP level 3)
	logo  template.URL // a data: URI, "" for none
}

func readLook(own files) (l look, err error) {
	style := string(builtin["style.css"])
	if more, ok := own["style.css"]; ok {
		if more, err = cleanStyle(more); err != nil {
			return l, inFile("style.css", err)
		}
		style += string(more)
	}
	l.style = template.CSS(style) //nolint:gosec // It was compiled in or checked above.
	sum := sha256.Sum256([]byte(style))
	l.hash = "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	for name, mediaType := range logos {
		data, ok := own[name]
		if !ok {
			continue
		}
		if l.logo != "" {
			return l, inFile(name, errors.New("a second logo; expected one"))
		}
		if err := checkLogo(mediaType, data); err != nil {
			return l, inFile(name, err)
		}
		l.logo = template.URL("data:" + mediaType + ";base64," + base64.StdEncoding.EncodeToString(data)) //nolint:gosec // Base64 has nothing to break out with.
	}
	return l, nil
}

// cleanStyle returns a stylesheet as a browser reads it where it stands in a page:
// else its hash would be another.
func cleanStyle(css []byte) ([]byte, error) {
	css = bytes.TrimPrefix(css, []byte("\uFEFF"))
	css = bytes.ReplaceAll(bytes.ReplaceAll(css, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	switch {
	case !utf8.Valid(css) || bytes.IndexByte(css, 0) >= 0:
		return nil, errors.New("no text; expected CSS in UTF-8")
	case strings.Contains(strings.ToLower(string(css)), "</style"):
		return nil, errors.New("it has </style, which ends it where it stands in a page; expected CSS alone")
	}
	return css, nil
}

func checkLogo(mediaType string, data []byte) error {
	found := http.DetectContentType(data)
	if mediaType == "image/svg+xml" {
		if !bytes.Contains(data, []byte(`xmlns="http://www.w3.org/2000/svg"`)) {
			return errors.New(`expected an SVG image with xmlns="http://www.w3.org/2000/svg", which browsers want in an img`)
		}
		return nil
	}
	if found != mediaType {
		return errors.New("it is " + found + "; expected " + mediaType)
	}
	return nil
}

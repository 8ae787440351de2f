package scopes

import (
	"fmt"
	"strings"
)

// Inputs are what the variables {query:...}, {header:...} and {claim:...} of a
// rule read, besides the path. Nothing is read that no variable of the rule
// names. The zero value has nothing, so rules with such variables deny. See
// docs/scopes.md, section 3.4.
type Inputs struct {
	Query  string              // the raw query, exactly as it goes upstream
	Header map[string][]string // under canonical names, as net/http has them
	Claims Claims              // of the verified token; nil has none
}

// Claims gives the claims of a token that are texts.
type Claims interface {
	Claim(name string) (value string, ok bool)
}

// inputKind says where a variable that is not of the path is read.
type inputKind string

const (
	inputQuery  inputKind = "query"
	inputHeader inputKind = "header"
	inputClaim  inputKind = "claim"
)

// input is one variable that is not of the path.
type input struct {
	kind inputKind
	name string
	slot int8 // the place of its value
}

func (in input) same(other input) bool { return in.kind == other.kind && in.name == other.name }

// parseInput reads {query:name}, {header:name} or {claim:name}. It is not found
// if the text is no variable with a colon.
func parseInput(text string) (in input, found bool, err error) {
	inside, ok := inBraces(text)
	kind, name, colon := strings.Cut(inside, ":")
	if !ok || !colon {
		return input{}, false, nil
	}
	in = input{kind: inputKind(kind), name: name}
	switch {
	case in.kind == inputQuery && isWord(name, isLetter, "0123456789_.-") && !strings.HasSuffix(name, "..."):
	case in.kind == inputQuery:
		err = fmt.Errorf("%s: expected a name in [A-Za-z][A-Za-z0-9_.-]*, as in {query:id}", quote(text))
	case in.kind == inputHeader && isWord(name, isLetter, "0123456789-"):
		in.name = canonicalHeader(name)
	case in.kind == inputHeader:
		err = fmt.Errorf("%s: expected a name in [A-Za-z][A-Za-z0-9-]*, as in {header:X-Tenant}", quote(text))
	case in.kind == inputClaim && isName(name):
	case in.kind == inputClaim:
		err = fmt.Errorf("%s: expected a name in [a-z][a-z0-9_]*, as in {claim:sub}", quote(text))
	default:
		err = fmt.Errorf("unrecognized variable %s: expected {query:name}, {header:name} or {claim:name}", quote(text))
	}
	return in, true, err
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// canonicalHeader writes a header name as net/http does: X-Tenant.
func canonicalHeader(name string) string {
	b := []byte(name)
	for i, c := range b {
		if isLetter(c) {
			if b[i] = c | 0x20; i == 0 || b[i-1] == '-' {
				b[i] = c &^ 0x20
			}
		}
	}
	return string(b)
}

// read returns the one value of the variable in a request. It is false where
// there is none, and where two readers could see different ones.
func (in *input) read(from Inputs, separator string) (value string, ok bool) {
	switch in.kind {
	case inputQuery:
		return queryValue(from.Query, in.name, separator)
	case inputHeader:
		return headerValue(from.Header, in.name, separator)
	}
	if from.Claims == nil {
		return "", false
	}
	return from.Claims.Claim(in.name)
}

// maxParts is how many parameters or lines of headers a request has at most
// where one of them is read: many upstreams silently drop what is beyond some
// number (Node.js and qs 1000 parameters and 2000 headers, PHP 1000 parameters),
// and so would not see what was checked.
const maxParts = 256

// headerValue returns the value of a header that stands in exactly one line. A
// comma may be the trace of several lines that a proxy joined, so it is refused
// where it does not separate the items of a list. Bytes beyond ASCII are UTF-8 to
// some and Latin-1 to others, so they are refused too. So is a second header that
// upstreams which pass headers as variables (CGI, WSGI, Rack) would read under
// the same name, such as X_Tenant.
func headerValue(header map[string][]string, name, separator string) (value string, ok bool) {
	total := 0
	for other, lines := range header {
		if total += len(lines); total > maxParts || other != name && sameName(other, name) {
			return "", false
		}
	}
	lines := header[name]
	if len(lines) != 1 || !isASCII(lines[0]) || separator != "," && strings.Contains(lines[0], ",") {
		return "", false
	}
	return lines[0], true
}

// sameName says whether some upstream reads both names as one: letters without
// case, and punctuation and blanks all as "_".
func sameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldName(a[i]) != foldName(b[i]) {
			return false
		}
	}
	return true
}

func foldName(c byte) byte {
	switch {
	case isLetter(c):
		return c | 0x20
	case '0' <= c && c <= '9':
		return c
	}
	return '_'
}

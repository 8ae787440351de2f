package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/term"
)

const (
	askTimeout = 30 * time.Second // of one request of a command
	maxAnswer  = 1 << 20
)

// commandClient follows no redirect: a command talks to whom it was told to.
var commandClient = &http.Client{
	Timeout:       askTimeout,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// checkServer refuses an address to which no secret may go.
func checkServer(flag, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("--%s: expected a URL such as https://auth.example.com", flag)
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("--%s: expected https; http only on loopback, such as http://localhost:8080", flag)
}

// send sends a request and reads its answer.
func send(r *http.Request) (*http.Response, []byte, error) {
	res, err := commandClient.Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("the answer of %s has more than %d bytes", r.URL.Host, maxAnswer)
	}
	return res, body, err
}

// fetch gets a public document.
func fetch(ctx context.Context, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, body, err := send(r)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: got %s, expected 200", printable(address), printable(res.Status))
	}
	return body, nil
}

// discovered are the endpoints that an issuer says it has.
type discovered struct {
	Issuer        string `json:"issuer"`
	TokenEndpoint string `json:"token_endpoint"`
	KeysURI       string `json:"jwks_uri"`
	// Absent where no client uses it.
	AuthorizationEndpoint string `json:"authorization_endpoint"`
}

// discover reads the metadata of an issuer (RFC 8414). It has to be its own, and
// its endpoints have to be on the host that the user named.
func discover(ctx context.Context, issuer string) (d discovered, err error) {
	if err := checkServer("issuer", issuer); err != nil {
		return d, err
	}
	issuer = strings.TrimSuffix(issuer, "/")
	body, err := fetch(ctx, issuer+"/.well-known/oauth-authorization-server")
	if err != nil {
		return d, fmt.Errorf("asking the issuer for its metadata: %w", err)
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return d, errors.New("asking the issuer for its metadata: the answer is no JSON object; expected --issuer as the issuer writes itself, with its host and port")
	}
	if d.Issuer != issuer {
		return d, errors.New("asking the issuer for its metadata: it is that of another issuer; expected --issuer as the issuer writes itself")
	}
	endpoints := []string{d.TokenEndpoint, d.KeysURI}
	if d.AuthorizationEndpoint != "" {
		endpoints = append(endpoints, d.AuthorizationEndpoint)
	}
	for _, endpoint := range endpoints {
		if !strings.HasPrefix(endpoint, issuer+"/") {
			return d, errors.New("asking the issuer for its metadata: it names an endpoint of another server, which nobody asked for; expected its own")
		}
	}
	return d, nil
}

// source is where a secret comes from. It stands on no command line: that is in the
// history of the shell and in the list of processes.
type source struct {
	name      string // of the flags: --<name>-file, --<name>-env
	file, env string
}

func (s source) given() bool { return s.file != "" || s.env != "" }

// flags names the flag that was given, or those that may be.
func (s source) flags() string {
	switch {
	case s.file != "":
		return "--" + s.name + "-file"
	case s.env != "":
		return "--" + s.name + "-env"
	}
	return "--" + s.name + "-file or --" + s.name + "-env"
}

// variable is the name of a variable for an error. A secret that was typed in its
// place is left out: one of a client has at least 22 characters, and hardly ever
// only capitals, digits and an underscore.
func (s source) variable() string {
	for _, c := range s.env {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return "the variable"
		}
	}
	if len(s.env) >= 22 && !strings.Contains(s.env, "_") {
		return "the variable"
	}
	return "the variable " + s.env
}

// read reads the secret. Errors do not quote what was typed: it may be the secret.
func (s source) read(in io.Reader) (string, error) {
	var data []byte
	var err error
	switch {
	case s.file != "" && s.env != "":
		return "", fmt.Errorf("--%s-file and --%s-env; expected one of them", s.name, s.name)
	case s.env != "":
		data = []byte(os.Getenv(s.env))
	case s.file == "-":
		data, err = readInput(in, s.name)
	default:
		data, err = readBounded(s.file)
	}
	if err != nil {
		return "", fmt.Errorf("--%s-file: %w", s.name, err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case text == "" && s.env != "":
		return "", fmt.Errorf("%s: %s is empty, or not set; expected one line in it", s.flags(), s.variable())
	case text == "":
		return "", fmt.Errorf("%s: it is empty; expected one line", s.flags())
	case strings.ContainsAny(text, "\r\n"):
		return "", fmt.Errorf("%s: several lines; expected one", s.flags())
	}
	return text, nil
}

// readBounded reads a file that holds a secret or a token.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err == nil && len(data) > maxSecretFile {
		err = fmt.Errorf("more than %d bytes; expected one line", maxSecretFile)
	}
	return data, withoutPath(err)
}

// maxSecretFile is above any token.
const maxSecretFile = 64 << 10

// withoutPath leaves the path out of an error: a secret may stand in its place.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return fmt.Errorf("reading the file: %w; expected the path of a file, or - for standard input", p.Err)
	}
	return err
}

// readInput reads standard input, which must not be a terminal.
func readInput(in io.Reader, what string) ([]byte, error) {
	if isTerminal(in) {
		return nil, fmt.Errorf("standard input is a terminal, which shows what is typed; expected a pipe or a file with the %s", what)
	}
	data, err := io.ReadAll(io.LimitReader(in, maxSecretFile+1))
	if err == nil && len(data) > maxSecretFile {
		err = fmt.Errorf("more than %d bytes on standard input; expected one line", maxSecretFile)
	}
	if err == nil && len(data) == 0 {
		err = fmt.Errorf("standard input is empty; expected a pipe or a file with the %s", what)
	}
	return data, err
}

// printableJSON is printable for JSON, which says the same afterwards.
func printableJSON(text []byte) string {
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == '\n' || unicode.IsPrint(r) && size > 0 && r != utf8.RuneError {
			out.WriteRune(r)
		} else {
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&out, `\u%04x`, unit)
			}
		}
		text = text[size:]
	}
	return out.String()
}

// isTerminal reports whether somebody types the input. /dev/null is a character
// device too, and is only empty.
func isTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// printable keeps what a stranger wrote from steering a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

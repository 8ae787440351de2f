package caddymodule

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/scopes"
	"github.com/scopegate/scopegate/tokenexchange"
)

func inspectCommand() *cobra.Command {
	var issuer, file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect [--file <path>] [--issuer <url>] [--json]",
		Short: "Shows what a token says, and verifies it if told so",
		Long: `
Reads an access token or an id token from standard input, or from a file, and
shows what it says: who, for whom, until when, and its boundary as a tree of
services, permissions and resources.

With --issuer the token is held against that issuer's published keys: signature,
typ, iss, exp, nbf and iat. If it fails, the exit code is 1. Whether the token was
revoked, and whether you are in its audience, is not checked. Without --issuer
nothing is verified, and the answer says so: anybody can write such a token.

  caddy token inspect --issuer https://auth.example.com < alice.token

There is no argument for the token: what stands on a command line is in the history
of the shell and in the list of processes.
`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			raw, err := readToken(cmd.InOrStdin(), file)
			if err != nil {
				return err
			}
			return inspect(cmd.Context(), cmd.OutOrStdout(), raw, issuer, asJSON, time.Now())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&file, "file", "-", "The file with the token; - is standard input")
	flags.StringVar(&issuer, "issuer", "", "The issuer whose keys verify the token, such as https://auth.example.com")
	flags.BoolVar(&asJSON, "json", false, "Writes JSON")
	return cmd
}

func readToken(in io.Reader, file string) (string, error) {
	data, err := []byte(nil), error(nil)
	if file == "-" {
		data, err = readInput(in, "token")
	} else {
		data, err = readBounded(file)
	}
	text := strings.TrimSpace(string(data))
	if err == nil && text == "" {
		err = errors.New("no token, only blanks; expected one on standard input, or --file")
	}
	return text, err
}

// inspection is the answer of `caddy token inspect`.
type inspection struct {
	Verified bool              `json:"verified"`
	Failure  string            `json:"failure,omitempty"` // why it is not, if an issuer was named
	Issuer   string            `json:"issuer,omitempty"`  // that was named
	Header   map[string]string `json:"header"`
	Claims   json.RawMessage   `json:"claims"`
}

func inspect(ctx context.Context, out io.Writer, raw, issuer string, asJSON bool, now time.Time) error {
	token, err := tokenexchange.Inspect(raw)
	if err != nil {
		return err
	}
	seen := inspection{Issuer: issuer, Header: map[string]string{"alg": token.Alg, "kid": token.KeyID, "typ": token.Type}, Claims: token.Claims}
	if issuer != "" {
		err = verifyAt(ctx, token, issuer, now)
		seen.Verified = err == nil
		if err != nil {
			seen.Failure = printable(err.Error())
			err = errors.New("not verified: " + seen.Failure)
		}
	}
	if asJSON {
		text, jsonErr := seen.json()
		_, writeErr := io.WriteString(out, text)
		return errors.Join(err, jsonErr, writeErr)
	}
	_, writeErr := io.WriteString(out, seen.text(now))
	return errors.Join(err, writeErr)
}

// json is what a program reads.
func (i inspection) json() (string, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(i)
	return printableJSON(text.Bytes()), err
}

// verifyAt holds a token against the keys that an issuer publishes.
func verifyAt(ctx context.Context, token *tokenexchange.Inspected, issuer string, now time.Time) error {
	d, err := discover(ctx, issuer)
	if err != nil {
		return err
	}
	keys, err := fetch(ctx, d.KeysURI)
	if err != nil {
		return fmt.Errorf("asking the issuer for its keys: %w", err)
	}
	return token.Verify(keys, d.Issuer, now)
}

// told are the claims with a line of their own, in this order.
var told = []struct{ claim, means string }{
	{"iss", "issuer"},
	{"sub", "who"},
	{"username", "name"},
	{"aud", "for"},
	{"azp", "through client"},
	{"context_name", "organization"},
	{"scope", "scope"},
	{"iat", "issued"},
	{"nbf", "not before"},
	{"exp", "expires"},
	{"auth_time", "logged in"},
	{"act", "acts"},
	{"via", "via"},
	{"narrowed", "narrowed"},
}

const boundaryClaim = "allowed_resource_scope"

// text is what a person reads.
func (i inspection) text(now time.Time) string {
	var b strings.Builder
	switch {
	case i.Verified:
		fmt.Fprintf(&b, "VERIFIED: %s signed it (key %s, %s), and it has not expired.\nNot checked: whether it was revoked, and whether it is for you.\n", printable(i.Issuer), printable(i.Header["kid"]), printable(i.Header["alg"]))
	case i.Failure != "":
		fmt.Fprintf(&b, "NOT VERIFIED: %s.\nWhat follows is what the token says, and anybody can write it.\n", printable(i.Failure))
	default:
		b.WriteString("NOTHING WAS VERIFIED: this is what the token says, and anybody can write it. --issuer <url> verifies it.\n")
	}
	var claims map[string]json.RawMessage
	_ = json.Unmarshal(i.Claims, &claims) // It was read as an object already.
	fmt.Fprintf(&b, "\n%-16s%s\n", "kind", kindOf(i.Header["typ"]))
	rest := maps.Clone(claims)
	for _, t := range told {
		if value, ok := claims[t.claim]; ok {
			fmt.Fprintf(&b, "%-16s%s\n", t.means, inWords(t.claim, value, now))
			delete(rest, t.claim)
		}
	}
	delete(rest, boundaryClaim)
	b.WriteString(boundary(claims[boundaryClaim]))
	if len(rest) > 0 {
		b.WriteString("\nother claims\n")
	}
	for _, name := range slices.Sorted(maps.Keys(rest)) {
		fmt.Fprintf(&b, "  %s: %s\n", printable(name), printable(string(rest[name])))
	}
	return b.String()
}

func kindOf(typ string) string {
	switch typ {
	case "at+jwt":
		return "access token"
	case "JWT":
		return "id token"
	}
	return "unknown typ " + printable(cmp.Or(typ, "(none)"))
}

// inWords says what the value of a claim means.
func inWords(claim string, value json.RawMessage, now time.Time) string {
	switch claim {
	case "exp", "iat", "nbf", "auth_time":
		var seconds float64
		if json.Unmarshal(value, &seconds) == nil {
			return when(time.Unix(int64(seconds), 0), now)
		}
	case "act":
		return strings.Join(actors(value), ", for whom acts ")
	}
	var one string
	var list []string
	switch {
	case json.Unmarshal(value, &one) == nil:
		return printable(one)
	case json.Unmarshal(value, &list) == nil:
		return printable(strings.Join(list, ", "))
	}
	return printable(string(value))
}

// when says a time, and how far away it is.
func when(t, now time.Time) string {
	d := t.Sub(now).Round(time.Second)
	if d <= 0 {
		return fmt.Sprintf("%s, %v ago", t.UTC().Format(time.RFC3339), -d)
	}
	return fmt.Sprintf("%s, in %v", t.UTC().Format(time.RFC3339), d)
}

// actors are those who act, the last one first (RFC 8693 section 4.1).
func actors(value json.RawMessage) (chain []string) {
	for range 16 {
		var act struct {
			Sub string          `json:"sub"`
			Act json.RawMessage `json:"act"`
		}
		if json.Unmarshal(value, &act) != nil {
			return append(chain, printable(string(value)))
		}
		chain = append(chain, printable(act.Sub))
		if act.Act == nil {
			return chain
		}
		value = act.Act
	}
	return append(chain, "...")
}

// boundary draws what the token allows: service, permission, resources.
func boundary(value json.RawMessage) string {
	if value == nil {
		return "\nboundary: none. The token says who somebody is, and allows nothing.\n"
	}
	set, err := scopes.ParseSet(value)
	if err != nil {
		return "\nboundary: it cannot be read, so the token allows nothing\n"
	}
	var b strings.Builder
	b.WriteString("\nboundary\n")
	service, permission := "", ""
	for _, e := range set.Entries() {
		if e.Service != service {
			service, permission = e.Service, ""
			fmt.Fprintf(&b, "  %s\n", printable(service))
		}
		if e.Permission != permission {
			permission = e.Permission
			fmt.Fprintf(&b, "    %s\n", printable(permission))
		}
		fmt.Fprintf(&b, "      %s\n", printable(e.Resource.String()))
	}
	return b.String()
}

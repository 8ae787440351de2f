package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// tokenRequest is what `caddy token get` is told.
type tokenRequest struct {
	issuer, endpoint        string
	grant, client           string
	username, subjectType   string
	audience, org, scope    string
	resourceScope, redirect string
	json                    bool
	secret, password        source
	subject, refresh, token source
}

func getCommand() *cobra.Command {
	t := tokenRequest{
		secret: source{name: "client-secret"}, password: source{name: "password"}, subject: source{name: "subject-token"},
		refresh: source{name: "refresh-token"}, token: source{name: "api-token"},
	}
	cmd := &cobra.Command{
		Use:   "get --issuer <url> --client <id> [--grant <name>] [...]",
		Short: "Gets a token from a token endpoint",
		Long: `
Asks a token endpoint for a token and writes it to standard output: the token
alone, or with --json the whole answer. If it is refused, the error, what it says
and where it is explained go to standard error, and the exit code is 1.

Secrets and tokens come from a file (--...-file, - for standard input) or from an
environment variable (--...-env), and never from the command line, which is in the
history of the shell and in the list of processes.

  caddy token get --issuer https://auth.example.com --client nightly \
      --client-secret-file /run/secrets/nightly

  caddy token get --issuer https://auth.example.com --client web --client-secret-env WEB \
      --grant password --username alice --password-file - < alice.password

  caddy token get --issuer https://auth.example.com --client batch --client-secret-env BATCH \
      --grant audience_exchange --subject-token-file alice.token --audience https://shop.example.com

  caddy token get --issuer https://auth.example.com --client app --grant authorization_code

The last one prints an address to open in a browser, and waits for somebody to log in.

A client without a secret is a public one. The token endpoint is the one that the
issuer's metadata name; --token-endpoint names it instead.
`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return t.run(cmd.Context(), cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	for _, f := range []struct {
		into                 *string
		name, standard, help string
	}{
		{&t.issuer, "issuer", "", "The issuer, such as https://auth.example.com"},
		{&t.endpoint, "token-endpoint", "", "The token endpoint, instead of --issuer"},
		{&t.grant, "grant", "client_credentials", "client_credentials, authorization_code, password, refresh_token, audience_exchange, client_delegate or api_token"},
		{&t.client, "client", "", "The id of the client"},
		{&t.username, "username", "", "The user, for password"},
		{&t.subjectType, "subject-token-type", "access_token", "access_token or id_token, for audience_exchange"},
		{&t.audience, "audience", "", "The target, for audience_exchange and client_delegate"},
		{&t.org, "org", "", "The organization"},
		{&t.scope, "scope", "", "OAuth scopes, with spaces between them"},
		{&t.redirect, "redirect-uri", "http://127.0.0.1/callback", "Where the browser is sent, for authorization_code; without a port any free one is taken"},
		{&t.resourceScope, "allowed-resource-scope", "", "The boundary to ask for, as JSON"},
		{&t.secret.file, "client-secret-file", "", "The file with the client's secret"},
		{&t.secret.env, "client-secret-env", "", "The variable with the client's secret"},
		{&t.password.file, "password-file", "", "The file with the user's password"},
		{&t.password.env, "password-env", "", "The variable with the user's password"},
		{&t.subject.file, "subject-token-file", "", "The file with the token to exchange"},
		{&t.subject.env, "subject-token-env", "", "The variable with the token to exchange"},
		{&t.refresh.file, "refresh-token-file", "", "The file with the refresh token"},
		{&t.refresh.env, "refresh-token-env", "", "The variable with the refresh token"},
		{&t.token.file, "api-token-file", "", "The file with the API token"},
		{&t.token.env, "api-token-env", "", "The variable with the API token"},
	} {
		flags.StringVar(f.into, f.name, f.standard, f.help)
	}
	flags.BoolVar(&t.json, "json", false, "Writes the whole answer")
	return cmd
}

// authorizationCode is the grant that needs a browser.
const authorizationCode = "authorization_code"

const apiTokenPath = "/csp/gateway/am/api/auth/api-tokens/authorize"

func (t *tokenRequest) run(ctx context.Context, in io.Reader, out, say io.Writer) error {
	form, err := t.form(in)
	if err != nil {
		return err
	}
	endpoint, err := t.where(ctx)
	if err != nil {
		return err
	}
	if t.grant == authorizationCode {
		if err := t.login(ctx, form, say); err != nil {
			return fmt.Errorf("logging in: %w", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, nil)
	if err != nil {
		return err
	}
	switch {
	case t.grant == "api_token":
	case t.secret.given():
		secret, err := t.secret.read(in)
		if err != nil {
			return err
		}
		r.SetBasicAuth(url.QueryEscape(t.client), url.QueryEscape(secret))
	default:
		form.Set("client_id", t.client)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	body := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	res, answer, err := send(r)
	if err != nil {
		return fmt.Errorf("asking for a token: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return refusal(res, answer)
	}
	return t.print(out, answer)
}

// where returns the token endpoint.
func (t *tokenRequest) where(ctx context.Context) (string, error) {
	switch {
	case (t.issuer == "") == (t.endpoint == ""):
		return "", errors.New("expected one of --issuer and --token-endpoint")
	case t.endpoint != "":
		return t.endpoint, checkServer("token-endpoint", t.endpoint)
	}
	d, err := discover(ctx, t.issuer)
	if err == nil && t.grant == "api_token" {
		return d.Issuer + apiTokenPath, nil
	}
	return d.TokenEndpoint, err
}

// refusal is the error of a token endpoint (RFC 6749 section 5.2).
func refusal(res *http.Response, answer []byte) error {
	var e struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		URI         string `json:"error_uri"`
		RequestID   string `json:"requestId"`
	}
	if json.Unmarshal(answer, &e) != nil || e.Error == "" {
		return fmt.Errorf("asking for a token: got %s, and no error of a token endpoint", printable(res.Status))
	}
	text := printable(e.Error)
	for _, more := range []struct{ before, text string }{{": ", e.Description}, {"\n  see ", e.URI}, {"\n  the log has it as ", e.RequestID}} {
		if more.text != "" {
			text += more.before + printable(more.text)
		}
	}
	return errors.New(text)
}

// print writes the token, or all of the answer.
func (t *tokenRequest) print(out io.Writer, answer []byte) error {
	var got struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &got); err != nil || got.AccessToken == "" || printable(got.AccessToken) != got.AccessToken {
		return errors.New("asking for a token: the answer has no access_token")
	}
	text := got.AccessToken + "\n"
	if t.json {
		var indented bytes.Buffer
		if err := json.Indent(&indented, answer, "", "  "); err != nil {
			return fmt.Errorf("asking for a token: %w", err)
		}
		text = strings.TrimSpace(printableJSON(indented.Bytes())) + "\n"
	}
	if _, err := io.WriteString(out, text); err != nil {
		return fmt.Errorf("writing the token: %w", err)
	}
	return nil
}

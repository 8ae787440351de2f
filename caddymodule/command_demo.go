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

	"github.com/scopegate/scopegate/tokenexchange"
)

func demoCommand() *cobra.Command {
	d := demoWalk{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Walks through the example, and shows each step as curl",
		Long: `
Walks the story of README.md against the example, which has to run:

  caddy run --config Caddyfile.example

Each step prints what it does, the same as a curl command, and what came back. The
secrets in it are those of the example, which everybody knows; so it talks to
loopback alone. Tokens are not shown: the commands keep them in variables.
`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d.out = cmd.OutOrStdout()
			return d.run(cmd.Context())
		},
	}
	cmd.Flags().StringVar(&d.issuer, "issuer", "http://localhost:8080", "Where the issuer of the example listens")
	cmd.Flags().StringVar(&d.guard, "guard", "http://localhost:8081", "Where its guard listens")
	return cmd
}

// demoWalk is one walk through the example.
type demoWalk struct {
	issuer, guard string
	out           io.Writer
	steps         int
	alice         string // her token
}

// The secrets of Caddyfile.example and its users.
const (
	demoWeb, demoBatch, demoAlice = "web-demo-secret-change-me", "batch-demo-secret-change-me", "alice likes tea"
	orderOne                      = `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/1"]}]}]}`
	ordersOneAndTwo               = `{"servicesScopes":[{"serviceDefinitionId":"shop","permissions":[{"permissionId":"orders.read","resources":["orders/1","orders/2"]}]}]}`
	accessTokenType               = "urn:ietf:params:oauth:token-type:access_token"
)

func (d *demoWalk) run(ctx context.Context) error {
	for flag, address := range map[string]string{"issuer": d.issuer, "guard": d.guard} {
		if u, err := url.Parse(address); err != nil || checkServer(flag, address) != nil || u.Scheme != "http" {
			return fmt.Errorf("--%s: expected http on loopback, as of Caddyfile.example", flag)
		}
	}
	if _, err := discover(ctx, d.issuer); err != nil {
		return fmt.Errorf("the example does not run there: %w; start it in another terminal: caddy run --config Caddyfile.example", err)
	}
	exchange := url.Values{
		"grant_type": {"audience_exchange"}, "target_audience": {d.resource(ctx)}, "subject_token_type": {accessTokenType},
	}
	for _, step := range []func() error{
		func() error { return d.ask(ctx, "Without a token nobody gets in", "/orders/1", 401) },
		func() error {
			return d.get(ctx, "Alice gets a token. She may do more, but asks for one that can only read order 1", "web", demoWeb, url.Values{
				"grant_type": {"password"}, "username": {"alice"}, "password": {demoAlice}, "allowed_resource_scope": {orderOne},
			}, &d.alice, 200)
		},
		func() error {
			return d.ask(ctx, "With it she reads order 1. The API shows the claims of the token that it got: another one, made by the guard for it alone", "/orders/1", 200)
		},
		func() error {
			return d.ask(ctx, "Order 2 is outside of what the token carries, and the answer says what is missing", "/orders/2", 403)
		},
		func() error {
			return d.get(ctx, "The service batch exchanges Alice's token for one of its own, which is never more than hers", "batch", demoBatch, exchange, nil, 200)
		},
		func() error {
			exchange.Set("allowed_resource_scope", ordersOneAndTwo)
			return d.get(ctx, "If it asks for more, it is refused and told what was too much", "batch", demoBatch, exchange, nil, 400)
		},
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// resource is what the guard calls the service (RFC 9728), which is its audience.
// If it does not say, it is where it listens, as in the example.
func (d *demoWalk) resource(ctx context.Context) string {
	var metadata struct {
		Resource string `json:"resource"`
	}
	body, err := fetch(ctx, strings.TrimSuffix(d.guard, "/")+tokenexchange.ResourcePath)
	if err != nil || json.Unmarshal(body, &metadata) != nil {
		return d.guard
	}
	// It stands in a command that people copy.
	if name := metadata.Resource; checkServer("guard", name) == nil && !strings.ContainsAny(name, "'\\") && printable(name) == name {
		return name
	}
	return d.guard
}

// ask sends a request to the guard, with Alice's token once there is one.
func (d *demoWalk) ask(ctx context.Context, what, path string, want int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.guard+path, nil)
	if err != nil {
		return err
	}
	header := ""
	if d.alice != "" {
		r.Header.Set("Authorization", "Bearer "+d.alice)
		header = ` -H "Authorization: Bearer $TOKEN"`
	}
	return d.step(what, "curl -s"+header+" "+r.URL.String(), r, nil, want)
}

// get asks for a token as a client.
func (d *demoWalk) get(ctx context.Context, what, client, secret string, form url.Values, into *string, want int) error {
	curl := "curl -s " + d.issuer + "/oauth2/token -u " + client + ":" + secret
	for _, name := range []string{"grant_type", "username", "password", "target_audience", "subject_token_type", "allowed_resource_scope"} {
		if form.Has(name) {
			curl += " \\\n    --data-urlencode '" + name + "=" + form.Get(name) + "'"
		}
	}
	if form.Get("grant_type") == "audience_exchange" {
		form.Set("subject_token", d.alice)
		curl += " \\\n    --data-urlencode \"subject_token=$TOKEN\""
	}
	if into != nil {
		curl = "TOKEN=$(" + curl + ` \` + "\n" + `    | sed 's/.*"access_token":"\([^"]*\)".*/\1/')`
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.issuer+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.SetBasicAuth(client, secret)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return d.step(what, curl, r, into, want)
}

// step sends a request and says what came back.
func (d *demoWalk) step(what, curl string, r *http.Request, into *string, want int) error {
	res, body, err := send(r)
	if err != nil {
		return fmt.Errorf("%w; start the example in another terminal: caddy run --config Caddyfile.example", err)
	}
	d.steps++
	if _, err := fmt.Fprintf(d.out, "%d. %s:\n\n$ %s\n%s\n%s\n", d.steps, what, curl, printable(res.Status), shownAnswer(body, into)); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	if res.StatusCode != want {
		return fmt.Errorf("step %d: got %d, want %d: this is another configuration than Caddyfile.example, or it was changed", d.steps, res.StatusCode, want)
	}
	if into != nil && *into == "" {
		return errors.New("the answer has no token")
	}
	return nil
}

// shownAnswer leaves the tokens out of an answer, and hands the access token over.
func shownAnswer(body []byte, into *string) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return printable(strings.TrimSpace(string(body))) + "\n"
	}
	var token string
	_ = json.Unmarshal(fields["access_token"], &token) // Absent, or no text.
	if into != nil {
		*into = token
	}
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		if _, ok := fields[name]; ok {
			fields[name] = json.RawMessage(`"..."`)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		return "\n"
	}
	return printableJSON(out.Bytes())
}

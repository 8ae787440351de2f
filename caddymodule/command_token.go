package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/tokenexchange"
)

// tokenCommand is `caddy token`: what an operator writes into files, so that the
// files hold no secret; which keys there are; and tokens, to get and to look at.
var tokenCommand = caddycmd.Command{
	Name:  "token",
	Usage: "get|inspect|keys|demo|api-token|hash-secret",
	Short: "Gets and shows tokens and keys of Scopegate, and makes API tokens and hashes of secrets",
	Long: `
Gets tokens (get), shows what one says (inspect), shows which keys sign and verify
(keys), and walks through the example (demo). Makes what the configuration of
Scopegate holds in place of a secret (api-token, hash-secret). Each of them has its
own --help.
`,
	CobraFunc: addTokenCommands,
}

func addTokenCommands(cmd *cobra.Command) {
	cmd.AddCommand(
		unrepeated(apiTokenCommand(), "what caddy token api-token --help shows"),
		unrepeated(hashSecretCommand(), "the secret on standard input"),
		unrepeated(keysCommand(), "what caddy token keys --help shows"),
		unrepeated(getCommand(), "what caddy token get --help shows; secrets and tokens come from files or variables"),
		unrepeated(inspectCommand(), "the token on standard input, or --file"),
		unrepeated(demoCommand(), "what caddy token demo --help shows"),
	)
	cmd.SilenceUsage = true
	// A misspelt command is an argument, and would print the help and succeed.
	unrepeated(cmd, "get, inspect, keys, demo, api-token or hash-secret").RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// unrepeated makes what is wrong with flags and arguments an error without what was
// typed, which cobra repeats: it may be a secret, and a secret can begin with a dash.
func unrepeated(cmd *cobra.Command, expected string) *cobra.Command {
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return errors.New("an unknown argument, which others can read; expected " + expected)
		}
		return nil
	}
	cmd.SetFlagErrorFunc(func(*cobra.Command, error) error {
		return errors.New("an unknown flag, or a wrong or missing value of one; expected " + expected)
	})
	return cmd
}

func apiTokenCommand() *cobra.Command {
	var entry tokenexchange.APIToken
	cmd := &cobra.Command{
		Use:   "api-token --user <domain>:<id> --org <id> --client <id> --permission <line>... --expires <time>",
		Short: "Makes an API token and its entry for a users file",
		Long: `
Draws an API token and writes two lines to standard output: the token, which is
shown once and kept nowhere, and the entry of it for the list api_tokens of a
users file. The entry holds a hash of the token, so it is no secret.

The token works once a configuration with the entry is loaded, until it expires
or the entry is taken out. At each use it gives what its user holds then, as far
as its permissions and the permit lines of its client go. This command reads no
configuration: loading it finds a user, an organization, a client or a
permission that does not exist.

  caddy token api-token --user example.com:alice --org acme --client cli \
      --permission "shop/orders.read orders/**" --expires 2026-12-31T00:00:00Z
`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printAPIToken(cmd.OutOrStdout(), cmd.ErrOrStderr(), entry)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&entry.User, "user", "", "The user that the token stands for, as <domain>:<id>")
	flags.StringVar(&entry.Org, "org", "", "The organization, one that the user is a member of")
	flags.StringVar(&entry.Client, "client", "", "The client that the token belongs to; it has the word api_tokens")
	flags.StringArrayVar(&entry.Permissions, "permission", nil, `A line such as "shop/orders.read orders/**"; repeated. "none" for a token that only says who its user is`)
	flags.StringVar(&entry.Expires, "expires", "", "When the token ends, as in 2026-12-31T00:00:00Z")
	for _, name := range []string{"user", "org", "client", "permission", "expires"} {
		_ = cmd.MarkFlagRequired(name) // It fails for a name that is no flag.
	}
	return cmd
}

func printAPIToken(out, notes io.Writer, entry tokenexchange.APIToken) error {
	if len(entry.Permissions) == 1 && entry.Permissions[0] == "none" {
		entry.Permissions = []string{}
	}
	token, entry, err := tokenexchange.NewAPIToken(entry, time.Now())
	if err != nil {
		if field, found := strings.CutPrefix(err.Error(), "."); found {
			return errors.New("--" + strings.Replace(field, "permissions[", "permission[", 1))
		}
		return err
	}
	if _, err := fmt.Fprintln(out, token); err != nil {
		return fmt.Errorf("writing the token: %w", err)
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false) // A pattern may have a & in it.
	if err := enc.Encode(entry); err != nil {
		return fmt.Errorf("writing the entry: %w", err)
	}
	_, err = fmt.Fprintln(notes, "The first line is the token, which is not shown again; the second one is its entry for api_tokens in a users file.")
	return err
}

func hashSecretCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hash-secret",
		Short: "Hashes a client secret that is read from standard input",
		Long: `
Reads a client secret from standard input and writes sha256:<hex>, which stands
for it in the secret line of a client, or in the file or variable that the line
names. A line end behind the secret is no part of it. It has at least 22
characters, and should be random: a hash keeps a secret only if nobody can guess it.

  openssl rand -base64 32 | tee client.secret | caddy token hash-secret

There is no flag for the secret: what stands on a command line is in the history
of the shell and in the list of processes.
`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printHash(cmd.InOrStdin(), cmd.OutOrStdout())
		},
	}
}

// maxSecretInput is far above any secret, so that a wrong file is refused.
const maxSecretInput = 4 << 10

func printHash(in io.Reader, out io.Writer) error {
	if isTerminal(in) {
		return errors.New("standard input is a terminal, which shows what is typed; expected a file or a pipe, as in: caddy token hash-secret < client.secret")
	}
	data, err := io.ReadAll(io.LimitReader(in, maxSecretInput+1))
	if err != nil {
		return fmt.Errorf("reading the secret: %w", err)
	}
	secret := strings.TrimRight(string(data), "\r\n") // As of {file.X}.
	switch {
	case len(data) == 0:
		return errors.New("standard input is empty; expected a secret, as in: caddy token hash-secret < client.secret")
	case len(data) > maxSecretInput:
		return fmt.Errorf("more than %d bytes on standard input; expected one secret", maxSecretInput)
	case strings.ContainsAny(secret, "\r\n"):
		return errors.New("several lines on standard input; expected one secret")
	}
	hash, err := tokenexchange.HashSecret(secret)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, hash)
	return err
}

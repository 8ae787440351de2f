package caddymodule

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/caddyserver/certmagic"
	"github.com/spf13/cobra"
)

// keysFlags are what `caddy token keys` is told.
type keysFlags struct {
	config, adapter, drop string
	json                  bool
}

func keysCommand() *cobra.Command {
	var f keysFlags
	cmd := &cobra.Command{
		Use:   "keys [--config <path> [--adapter <name>]] [--json] [--drop <kid>]",
		Short: "Shows which keys sign and verify, and until when",
		Long: `
Shows the signing keys and the state keys of the issuer that a configuration has:
which one signs since when, which is next, and until when the others verify. It
reads the key files and Caddy's storage as the server does, and asks no server.
No key is shown: a signing key is named by its kid, a state key by the id that
codes and refresh tokens begin with.

  caddy token keys --config /etc/caddy/Caddyfile

Generated keys turn by themselves. If one that signs was stolen, take it out:

  caddy token keys --config /etc/caddy/Caddyfile --drop <kid>

It says what it did, and shows the keys that are left. What the key signed is worth
nothing from then on. The next key signs, or a new one, since the drop.
Running servers know it within a minute, and at once after a reload. Run this as
the user that Caddy runs as, so that the server can read what is written. For keys
in files, and for state keys, see docs/keys.md.
`,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runKeys(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", "", "Configuration file. Default: the Caddyfile of this folder")
	flags.StringVarP(&f.adapter, "adapter", "a", "", "Name of the config adapter")
	flags.BoolVar(&f.json, "json", false, "Writes JSON")
	flags.StringVar(&f.drop, "drop", "", "The kid of a generated signing key to take out at once")
	return cmd
}

// issuerKeys is the answer of `caddy token keys`.
type issuerKeys struct {
	Issuer  string     `json:"issuer"`
	Storage string     `json:"storage"`
	Signing []shownKey `json:"signing_keys"`
	State   []shownKey `json:"state_keys"`
}

func runKeys(ctx context.Context, out, notes io.Writer, f keysFlags) error {
	if f.adapter != "" && f.config == "" {
		return errors.New("--adapter without --config; expected both")
	}
	config, _, _, err := caddycmd.LoadConfig(f.config, f.adapter)
	if err != nil {
		return err
	}
	if len(config) == 0 && f.config == "" {
		return errors.New("there is no Caddyfile in this folder; expected --config with the path of the configuration")
	}
	app, storage, cancel, err := issuerOf(config)
	if err != nil {
		return err
	}
	defer cancel()
	ctx, stop := context.WithTimeout(cmp.Or(ctx, context.Background()), keysTimeout)
	defer stop()
	lines := linesOf(storage, app.Issuer, app.SigningKeys, app.StateKeys)
	now := time.Now()
	keys := issuerKeys{Issuer: app.Issuer, Storage: nameOf(storage)}
	if f.drop != "" {
		if err := app.drop(ctx, lines, f.drop, now); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(notes, "dropped %s; running servers follow within a minute, reload them for at once\n", f.drop); err != nil {
			return fmt.Errorf("%s was dropped; writing that: %w", f.drop, err)
		}
	}
	if keys.Signing, err = app.showSigning(ctx, lines, now); err != nil {
		return err
	}
	if keys.State, err = app.showState(ctx, lines, now); err != nil {
		return err
	}
	if f.json {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		return enc.Encode(keys)
	}
	return keys.print(out)
}

// nameOf names a storage as it names itself. One that does not is named by its type:
// among its settings there may be passwords.
func nameOf(storage certmagic.Storage) string {
	if named, ok := storage.(fmt.Stringer); ok {
		return named.String()
	}
	return fmt.Sprintf("%T", storage)
}

// issuerOf reads what a configuration says of its issuer and the storage, and
// nothing else: no client, no user, no secret.
func issuerOf(config []byte) (*App, certmagic.Storage, func(), error) {
	var cfg struct {
		StorageRaw json.RawMessage `json:"storage,omitempty" caddy:"namespace=caddy.storage inline_key=module"`
		Apps       struct {
			Scopegate *App `json:"scopegate"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &cfg); err != nil {
		return nil, nil, nil, errors.New("the configuration is no JSON object; expected a Caddyfile, or --adapter")
	}
	app := cfg.Apps.Scopegate
	if app == nil {
		return nil, nil, nil, errors.New("the configuration has no scopegate option; expected one, with an issuer")
	}
	var err error
	if app.Issuer, err = expandText(app.Issuer); err != nil {
		return nil, nil, nil, app.at("issuer", 0, err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	if cfg.StorageRaw == nil {
		return app, caddy.DefaultStorage, cancel, nil
	}
	module, err := ctx.LoadModule(&cfg, "StorageRaw")
	if err == nil {
		var storage certmagic.Storage
		if storage, err = module.(caddy.StorageConverter).CertMagicStorage(); err == nil {
			return app, storage, cancel, nil
		}
	}
	cancel()
	return nil, nil, nil, fmt.Errorf("opening the storage: %w", err)
}

// drop takes a generated signing key out.
func (a *App) drop(ctx context.Context, lines keyLines, kid string, now time.Time) error {
	shown, err := a.showSigning(ctx, lines, now)
	if err != nil {
		return err
	}
	named := func(k shownKey) bool { return k.ID == kid }
	switch at := slices.IndexFunc(shown, named); {
	case at < 0:
		return errors.New("--drop: no signing key of this configuration has this kid; expected one that caddy token keys shows. For a state key see docs/keys.md")
	case shown[at].Source != "generated":
		return fmt.Errorf("--drop: the key is the file %s; expected a generated one. Take its line out of the configuration, with a new key in its place if it signs, and reload", shown[at].Source)
	default:
		line := lines.signing[slices.Index(signingAlgorithms, shown[at].Alg)]
		if err := sameOwner(line.storage, line.key); err != nil {
			return fmt.Errorf("--drop: %w", err)
		}
		return line.discard(ctx, kid, now)
	}
}

func (k issuerKeys) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "issuer   %s\nstorage  %s\n\n", k.Issuer, k.Storage)
	fmt.Fprintln(w, "SIGNING KEY\tALG\tDOES\tSOURCE")
	for _, key := range k.Signing {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", key.ID, key.Alg, key.when(), key.Source)
	}
	if len(k.Signing) == 0 {
		fmt.Fprintln(w, "none yet: made at the first start\t\t\tgenerated")
	}
	fmt.Fprintln(w, "\nSTATE KEY\t\tDOES\tSOURCE")
	for _, key := range k.State {
		fmt.Fprintf(w, "%s\t\t%s\t%s\n", key.ID, key.when(), key.Source)
	}
	if len(k.State) == 0 {
		fmt.Fprintln(w, "none yet: made at the first start\t\t\tgenerated")
	}
	return w.Flush()
}

// when says what a key does, and since or until when.
func (k shownKey) when() string {
	at := func(t *time.Time) string { return t.UTC().Format(time.RFC3339) }
	switch {
	case k.From != nil:
		return k.Does + ", from " + at(k.From)
	case k.Since != nil:
		return k.Does + " since " + at(k.Since)
	case k.Until != nil:
		return k.Does + " until " + at(k.Until)
	}
	return k.Does
}

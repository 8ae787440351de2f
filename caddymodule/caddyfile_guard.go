package caddymodule

import (
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/scopegate/scopegate/tokenexchange"
)

// parseGuard parses the directive:
//
//	guard <service> {
//		client        <client>
//		exchange      audience_exchange|client_delegate
//		narrow        to_service|to_rule
//		mode          enforce|audit until <date> [including no_rule]
//		accept        csp-auth-token
//		hide_existence
//		encoded_slash refuse|keep
//		preflight     block|pass|answer
//		revocation_max_staleness <duration>
//		unguarded_ok
//		<rule...>
//	}
//
// The forms of a rule stand at parseRule. It takes no matcher: a request that does not match would skip the guard.
func parseGuard(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // the directive
	args := h.RemainingArgs()
	for _, arg := range args {
		if arg != "" && strings.Contains("/*@", arg[:1]) {
			return nil, h.Errf("guard: unrecognized %q; it takes no matcher, since a request that does not match would skip the guard; put guards into handle blocks instead", arg)
		}
	}
	if len(args) != 1 || args[0] == "" {
		return nil, h.Errf("guard: expected one service, found %q", args)
	}
	if h.Option("scopegate") == nil {
		return nil, h.Err("guard needs the global option scopegate, which says what services there are")
	}
	g := &Guard{Service: args[0]}
	w := newWords(h.Dispenser, "guard "+g.Service)
	if err := w.each(func() error { return g.parseWord(w) }); err != nil {
		return nil, err
	}
	g.Source = w.sources[""]
	if len(g.Rules) == 0 {
		return nil, h.Errf("guard %s: there is no rule, so every request would be refused; expected rules such as: GET /orders/{id} orders.read orders/{id}", g.Service)
	}
	warnAdmin(h, g.Service)
	return h.NewRoute(nil, g), nil
}

func (g *Guard) parseWord(w *words) error {
	switch word := w.Val(); word {
	case "client":
		return w.one(&g.Client, "the id of a client")
	case "exchange":
		return w.choice(&g.Exchange, "audience_exchange", "client_delegate")
	case "narrow":
		return w.toggle(&g.NarrowToRule, "to_service", "to_rule")
	case "mode":
		return g.parseMode(w)
	case "accept":
		return w.toggle(&g.AcceptCSPAuthToken, "", "csp-auth-token")
	case "hide_existence":
		return w.flag(&g.HideExistence)
	case "encoded_slash":
		return w.toggle(&g.EncodedSlashKeep, "refuse", "keep")
	case "preflight":
		return w.choice(&g.Preflight, tokenexchange.PreflightBlock, tokenexchange.PreflightPass, tokenexchange.PreflightAnswer)
	case "revocation_max_staleness":
		return w.duration(&g.RevocationMaxStaleness)
	case "unguarded_ok":
		return w.flag(&g.UnguardedOK)
	default:
		if !isRule(word) {
			return w.unrecognized("client, exchange, narrow, mode, accept, hide_existence, encoded_slash, preflight, revocation_max_staleness, unguarded_ok, public, authenticated, grpc or a rule that begins with a method in capitals")
		}
		rule, err := parseRule(w)
		g.Rules = append(g.Rules, rule)
		return err
	}
}

// isRule reports whether a line of the block with this first word is a rule.
func isRule(word string) bool {
	switch word {
	case "public", "authenticated", "grpc":
		return true
	}
	return word != "" && word[0] >= 'A' && word[0] <= 'Z'
}

// parseMode parses:
//
//	mode enforce
//	mode audit until <date> [including no_rule]
func (g *Guard) parseMode(w *words) error {
	if err := w.once(); err != nil {
		return err
	}
	args := w.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] == "enforce":
		return w.noBlock("mode")
	case len(args) == 3 || len(args) == 5 && args[3] == "including" && args[4] == "no_rule":
		if args[0] == "audit" && args[1] == "until" {
			g.Audit = &Audit{Until: args[2], IncludingNoRule: len(args) == 5}
			opts, err := g.options()
			if err == nil {
				err = opts.Check(time.Now())
			}
			if err != nil {
				return w.Errf("%s: %w", w.block, err)
			}
			return w.noBlock("mode")
		}
	}
	return w.Errf("%s: mode: unrecognized %q; expected enforce, or audit until <date> [including no_rule]; %s", w.block, strings.Join(args, " "), found(args, 1))
}

package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/scopegate/scopegate/scopes"
)

// parseGuard parses the directive:
//
//	guard <service> {
//		exchange audience_exchange
//		narrow   to_service
//		mode     enforce
//		accept   csp-auth-token
//		unguarded_ok
//		<METHOD> <path> <permission> <resource>
//		authenticated <METHOD> <path>
//		public <METHOD> <path>
//		grpc <SERVICE/METHOD> <permission> <resource>
//	}
//
// It takes no matcher: a request that does not match would skip the guard.
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
	case "exchange":
		return w.choice("audience_exchange")
	case "narrow":
		return w.choice("to_service")
	case "mode":
		return w.choice("enforce")
	case "accept":
		g.AcceptCSPAuthToken = true
		return w.choice("csp-auth-token")
	case "unguarded_ok":
		return w.flag(&g.UnguardedOK)
	case "public", "authenticated", "grpc":
		return g.addRule(w)
	default:
		if !isMethod(word) {
			return w.unrecognized("exchange, narrow, mode, accept, unguarded_ok, public, authenticated, grpc or a rule that begins with a method in capitals")
		}
		return g.addRule(w)
	}
}

func (g *Guard) addRule(w *words) error {
	source := place(w.Dispenser)
	r, err := scopes.ParseRule("", append([]string{w.Val()}, w.RemainingArgs()...)...)
	if err != nil {
		return w.Errf("%s: %w", w.block, err)
	}
	r.Source = source
	g.Rules = append(g.Rules, r)
	return w.noBlock(r.Method + " " + r.Path)
}

// isMethod reports whether a word is in capitals, as a method is.
func isMethod(word string) bool {
	for _, c := range word {
		if (c < 'A' || c > 'Z') && c != '-' {
			return false
		}
	}
	return word != ""
}

// choice reads a word that has one possible value so far.
func (w *words) choice(only string) error {
	word := w.Val()
	if err := w.once(); err != nil {
		return err
	}
	switch args := w.RemainingArgs(); {
	case len(args) == 0:
		return w.Errf("%s: %s: expected %s, %s", w.block, word, only, found(args, 1))
	case len(args) > 1 || args[0] != only:
		return w.Errf("%s: %s: unrecognized %q; expected %s", w.block, word, strings.Join(args, " "), only)
	}
	return w.noBlock(word)
}

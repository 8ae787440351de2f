package caddymodule

import (
	"net"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// hostNames lists the host names that top-level routes name, and "" for all
// other hosts.
func hostNames(lists ...caddyhttp.RouteList) []string {
	names := map[string]bool{"": true}
	for _, list := range lists {
		for _, route := range list {
			for _, set := range route.MatcherSets {
				for _, m := range set {
					for _, name := range hostsOf(m) {
						if !strings.Contains(name, "{") {
							names[name] = true
						}
					}
				}
			}
		}
	}
	return sortedKeys(names)
}

// hostsOf returns the names of a host matcher as it will compare them, nil for
// any other matcher.
func hostsOf(matcher any) []string {
	var list caddyhttp.MatchHost
	switch m := matcher.(type) {
	case caddyhttp.MatchHost:
		list = m
	case *caddyhttp.MatchHost:
		list = *m
	default:
		return nil
	}
	names := make([]string, 0, len(list))
	for _, name := range list {
		names = append(names, strings.ToLower(caddy.NewReplacer().ReplaceKnown(name, "")))
	}
	return names
}

// matchesHost reports whether a request to a host may match, and whether it
// always does. Hosts that nobody named match no host matcher: another route
// that names one is another site.
func matchesHost(sets caddyhttp.MatcherSets, host string) (may, always bool) {
	if len(sets) == 0 {
		return true, true
	}
	for _, set := range sets {
		setMay, setAlways := true, true
		for _, m := range set {
			names := hostsOf(m)
			switch {
			case names == nil:
				setAlways = false
			case slices.ContainsFunc(names, func(n string) bool { return covers(n, host) }):
			case slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "{") }):
				setAlways = false // Known only when the request is there.
			default:
				setMay = false
			}
		}
		may = may || setMay
		always = always || setMay && setAlways
	}
	return may, always
}

// namesHost reports whether a route names this very host; for "", whether it
// names none.
func namesHost(sets caddyhttp.MatcherSets, host string) bool {
	if len(sets) == 0 {
		return host == ""
	}
	return slices.ContainsFunc(sets, func(set caddyhttp.MatcherSet) bool {
		var names []string
		for _, m := range set {
			names = append(names, hostsOf(m)...)
		}
		return slices.Contains(names, host) || host == "" && len(names) == 0
	})
}

// covers reports whether a name of a host matcher matches a host, which may be
// a wildcard itself.
func covers(name, host string) bool {
	if name == host || host == "" {
		return name == host
	}
	want, got := strings.Split(name, "."), strings.Split(host, ".")
	if len(want) != len(got) {
		return false
	}
	for i, label := range want {
		if label != "*" && label != got[i] {
			return false
		}
	}
	return true
}

// upstreams says, by address, at which sites an upstream is behind a guard and
// at which without one.
type upstreams map[string]*struct{ guarded, bare string }

func (u upstreams) add(w *walk, where string) {
	for dial, r := range w.proxied {
		dial = sameMachine(dial)
		if u[dial] == nil {
			u[dial] = new(struct{ guarded, bare string })
		}
		switch {
		case len(w.guards) == 0:
			u[dial].bare = where
		case r&guarded != 0:
			u[dial].guarded = where
		}
	}
}

// sameMachine gives all names of loopback one spelling.
func sameMachine(dial string) string {
	host, port, err := net.SplitHostPort(dial)
	if ip := net.ParseIP(host); err == nil && (strings.EqualFold(host, "localhost") || host == "" || ip != nil && ip.IsLoopback()) {
		return "localhost:" + port
	}
	return dial
}

// around names the upstreams of a guard that another site leads to without one.
func (u upstreams) around() []string {
	var texts []string
	for _, dial := range sortedKeys(u) {
		if at := u[dial]; at.guarded != "" && at.bare != "" {
			texts = append(texts, "reverse_proxy to "+dial+" is behind a guard at "+at.guarded+", and without one at "+at.bare+
				": whoever reaches that goes around the guard")
		}
	}
	return texts
}

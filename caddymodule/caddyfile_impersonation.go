package caddymodule

import "github.com/scopegate/scopegate/tokenexchange"

// parseImpersonation parses:
//
//	impersonation {
//		roles        <role...>
//		orgs         <org...>
//		never_roles  <role...>
//		permit       <permission> <pattern...> | none
//		max_auth_age <duration>
//	}
func parseImpersonation(w *words) (*tokenexchange.ImpersonationConfig, error) {
	if err := w.once(); err != nil {
		return nil, err
	}
	if args := w.RemainingArgs(); len(args) > 0 {
		return nil, w.Errf("scopegate: impersonation: unrecognized %q; expected a block", args[0])
	}
	inner := newWords(w.Dispenser, "impersonation")
	c := &tokenexchange.ImpersonationConfig{Sources: inner.sources}
	return c, inner.eachOf("roles, orgs and permit", func() error {
		switch inner.Val() {
		case "roles":
			return inner.list(&c.Roles, "at least one role, such as csp:support")
		case "orgs":
			return inner.list(&c.Orgs, "at least one organization")
		case "never_roles":
			return inner.list(&c.NeverRoles, "at least one role")
		case "permit":
			return parseLine(inner, &c.Permit)
		case "max_auth_age":
			return inner.duration(&c.MaxAuthAge)
		}
		return inner.unrecognized("roles, orgs, never_roles, permit or max_auth_age")
	})
}

package scopes

import (
	"errors"
	"slices"
	"strings"
)

// Match is what [Policy.Find] found: a rule, or the reason why there is none.
// The zero value is denied. See docs/scopes.md, section 3.5.
type Match struct {
	policy *Policy
	rule   *rule
	path   string // decoded
	reason Reason
}

// Find finds the most specific rule for a request among the rules for its
// method: at the first segment where two rules differ, a literal goes before
// {name}, and {name} before {name...}. HEAD follows GET. It allocates nothing.
//
// The path is specific within its method only: with GET /a/{x} and POST /a/b,
// GET /a/b is the former. See docs/scopes.md, sections 3.4 and 3.5 (step 3).
func (p *Policy) Find(method string, path Path) Match {
	if p == nil || path.decoded == "" {
		return Match{reason: ReasonNoRule}
	}
	if method == "HEAD" {
		method = "GET"
	}
	body, slash := splitPath(path.decoded)
	if root := p.tries[method]; root != nil {
		if r := root.find(body, index(slash)); r != nil {
			return Match{policy: p, rule: r, path: path.decoded}
		}
	}
	for _, root := range p.tries {
		if root.find(body, index(slash)) != nil {
			return Match{policy: p, path: path.decoded, reason: ReasonMethodNotAllowed}
		}
	}
	return Match{policy: p, path: path.decoded, reason: ReasonNoRule}
}

// Access says what the rule asks for; AccessNone when there is no rule.
func (m Match) Access() Access {
	if m.rule == nil {
		return AccessNone
	}
	return m.rule.access
}

// Reason is ReasonNoRule or ReasonMethodNotAllowed when there is no rule. When
// there is one, nothing was decided yet and it is ReasonNotReady.
func (m Match) Reason() Reason { return m.reason }

// Rule returns "METHOD PATH" as the rule is written, for logs; "" for none.
func (m Match) Rule() string {
	if m.rule == nil {
		return ""
	}
	return m.rule.name
}

// AllowedMethods returns the methods that have a rule for this path, sorted,
// HEAD with GET. It is meant for the answer to ReasonMethodNotAllowed.
func (m Match) AllowedMethods() []string {
	if m.policy == nil {
		return nil
	}
	body, slash := splitPath(m.path)
	var list []string
	for _, method := range m.policy.methods {
		if m.policy.tries[method].find(body, index(slash)) == nil {
			continue
		}
		if list = append(list, method); method == "GET" {
			list = append(list, "HEAD")
		}
	}
	slices.Sort(list)
	return list
}

// Foreign says whether the rule asks for a right of another service. That is
// decided on the presented set and is not in the forwarded one. See
// docs/scopes.md, section 3.4.
func (m Match) Foreign() bool {
	return m.rule != nil && slices.ContainsFunc(m.rule.needs, func(n need) bool { return n.foreign })
}

// Decide decides on a request. The presented set is the one of the caller's
// token; the derived set is what this service would get of it, and rights of
// this service are decided on exactly that. A caller without a valid token must
// not get here, except by a public rule. It allocates nothing. See
// docs/scopes.md, section 3.5 (step 9).
func (m Match) Decide(presented, derived Set, in Inputs) Decision {
	switch m.Access() {
	case AccessPublic, AccessAuthenticated:
		return Decision{match: m, reason: ReasonAllowed}
	case AccessPermission:
	default:
		return Decision{match: m, reason: m.reason}
	}
	// Values are judged first, because other reasons can be softened by an
	// audit mode, and this one never.
	var vals values
	if !m.rule.capture(m.path, &vals) {
		return Decision{match: m, reason: ReasonVariableRejected}
	}
	d := Decision{match: m}
	_ = in
	for i := range m.rule.needs {
		n := &m.rule.needs[i]
		if reason := n.check(presented, derived, &vals); reason != ReasonAllowed {
			d.failed |= 1 << i
			if d.reason == ReasonNotReady {
				d.reason = reason
			}
		}
	}
	// A rule that asks for a permission but has no needs stays undecided.
	if d.failed == 0 && len(m.rule.needs) > 0 {
		d.reason = ReasonAllowed
	}
	return d
}

// check decides on one need.
func (n *need) check(presented, derived Set, vals *values) Reason {
	set := derived
	if n.foreign {
		set = presented
	}
	i, found := findService(set.services, n.service)
	if !found {
		if presented.Empty() {
			return ReasonNoResourceScope
		}
		return ReasonServiceMissing
	}
	held := findPermission(set.services[i].permissions, n.permission)
	if len(held) == 0 {
		return ReasonPermissionMissing
	}
	if !covered(held, 0, cursor{segs: n.resource.segs, tail: n.resource.tail, values: vals}) {
		return ReasonResourceMissing
	}
	return ReasonAllowed
}

// values are the variables of one request that enter a resource.
type values struct {
	one  [maxVariables]Literal
	rest string // of "{name...}": segments that are each a literal
}

// capture takes the values out of a path that the rule matches. It is false if
// one of them is no literal.
func (r *rule) capture(path string, vals *values) bool {
	body, _ := splitPath(path)
	for _, s := range r.path {
		text, left, _ := strings.Cut(body, "/")
		switch {
		case s.kind == segLiteral || s.slot < 0:
		case s.kind == segVariable:
			if literalFault(text, maxLiteral) != "" {
				return false
			}
			vals.one[s.slot] = Literal{text: text}
		default:
			for more, rest := true, body; more; {
				text, rest, more = strings.Cut(rest, "/")
				if literalFault(text, maxLiteral) != "" {
					return false
				}
			}
			vals.rest = body
		}
		body = left
	}
	return true
}

// Need is one right that a request needs. See docs/scopes.md, section 3.5.
type Need struct {
	Service    string `json:"service"`
	Permission string `json:"permission"`
	Resource   string `json:"resource"`
}

// Decision is the answer to one request. The zero value denies.
type Decision struct {
	match  Match
	reason Reason
	failed uint64 // one bit for each need of the rule
}

// Allowed says whether the request may pass.
func (d Decision) Allowed() bool { return d.reason == ReasonAllowed }

// Reason says why.
func (d Decision) Reason() Reason { return d.reason }

// Missing returns the rights that the request needs and the set does not hold.
// It is nil when the request is allowed, and when no right would help.
func (d Decision) Missing() []Need {
	if d.failed == 0 || d.match.rule == nil {
		return nil
	}
	var vals values
	if !d.match.rule.capture(d.match.path, &vals) {
		return nil
	}
	var list []Need
	for i, n := range d.match.rule.needs {
		if d.failed&(1<<i) != 0 {
			list = append(list, Need{n.service, n.permission, n.resource.text(&vals)})
		}
	}
	return list
}

// AnyOf says whether Missing lists alternatives, of which one is enough.
func (d Decision) AnyOf() bool { return false }

// Narrow returns the part of the derived set that this one request needs: the
// meet of it and the rule's own needs. A decision that does not allow, and a
// rule without a permission, give the empty set. The error is a [*LimitError].
// See docs/scopes.md, section 3.6.
func (d Decision) Narrow(derived Set) (Set, error) {
	if !d.Allowed() || d.match.Access() != AccessPermission {
		return Set{}, nil
	}
	return Set{}, errors.New("narrow to_rule is not supported yet")
}

// text writes the pattern that a template stands for.
func (t template) text(vals *values) string {
	var segs []seg
	for c := (cursor{segs: t.segs, values: vals}); !c.done(); {
		var s seg
		s, c = c.next()
		segs = append(segs, s)
	}
	return writeSegments(segs, t.tail)
}

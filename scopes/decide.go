package scopes

// Match is what [Policy.Find] found: a rule, or the reason why there is none.
// The zero value is denied. See docs/scopes.md, section 3.5.
type Match struct {
	rule    *rule
	path    string // its segments
	decoded string // the path with each kept %2F as a border, where that finds the same rule
	reason  Reason
}

// Find finds the most specific rule for a request among the rules for its
// method: at the first segment where two rules differ, a literal goes before
// {name}, and {name} before {name...}. HEAD follows GET. It allocates nothing.
//
// The path is specific within its method only: with GET /a/{x} and POST /a/b,
// GET /a/b is the former.
//
// A path with a kept %2F that would find another rule if that were a border is
// ReasonPathAmbiguous: an upstream that decodes first would see the other
// operation. Where it finds the same rule, [Match.Decide] refuses it unless both
// readings give the rule the same values. See docs/scopes.md, sections 3.4 and
// 3.5 (step 3).
func (p *Policy) Find(method string, path Path) Match {
	if p == nil || path.segments == "" {
		return Match{reason: ReasonNoRule}
	}
	if method == "HEAD" {
		method = "GET"
	}
	body, slash := splitPath(path.segments)
	if root := p.tries[method]; root != nil {
		if r := root.find(body, index(slash)); r != nil {
			m := Match{rule: r, path: path.segments}
			if decoded, _ := splitPath(path.decoded); decoded != body {
				switch root.find(decoded, index(slash)) {
				case nil:
				case r:
					m.decoded = path.decoded
				default:
					return Match{reason: ReasonPathAmbiguous}
				}
			}
			return m
		}
	}
	for _, root := range p.tries {
		if root.find(body, index(slash)) != nil {
			return Match{reason: ReasonMethodNotAllowed}
		}
	}
	return Match{reason: ReasonNoRule}
}

// Access says what the rule asks for; AccessNone when there is no rule.
func (m Match) Access() Access {
	if m.rule == nil {
		return AccessNone
	}
	return m.rule.access
}

// Reason is ReasonNoRule, ReasonMethodNotAllowed or ReasonPathAmbiguous when
// there is no rule. When there is one, nothing was decided yet and it is
// ReasonNotReady.
func (m Match) Reason() Reason { return m.reason }

// Rule returns "METHOD PATH" as the rule is written, for logs; "" for none.
func (m Match) Rule() string {
	if m.rule == nil {
		return ""
	}
	return m.rule.name
}

// Decision is the answer to one request. It holds the values and the sets that
// it was made with, so that what is said to be missing, and what a token is
// narrowed to, are what was decided. The zero value denies.
type Decision struct {
	match     Match
	reason    Reason
	values    values
	presented Set
	derived   Set
}

// Decide decides on a request. The presented set is the one of the caller's
// token; the derived set is what this service would get of it, and rights of
// this service are decided on exactly that. A caller without a valid token must
// not get here, except by a public rule. It allocates nothing, unless a value
// of the query has escapes. See docs/scopes.md, section 3.5 (step 9).
func (m Match) Decide(presented, derived Set, in Inputs) Decision {
	d := Decision{match: m, reason: m.reason}
	switch m.Access() {
	case AccessPublic, AccessAuthenticated:
		d.reason = ReasonAllowed
	case AccessPermission:
		// Values are judged first, because other reasons can be softened by an
		// audit mode, and this one never.
		if !m.capture(in, &d.values) {
			d.reason = ReasonVariableRejected
			return d
		}
		d.presented, d.derived = presented, derived
		d.reason = d.decide()
	}
	return d
}

// decide decides on each item, or once where there is no list.
func (d *Decision) decide() Reason {
	r := d.match.rule
	for items, more := d.values.list, true; more; {
		items, more = r.each.take(items, &d.values)
		if reason := d.item(); reason != ReasonAllowed {
			return reason
		}
	}
	return ReasonAllowed
}

// item decides with the values as they are. Of several reasons it returns the
// first one, or that of the alternative which came furthest. A rule without
// needs stays undecided.
func (d *Decision) item() Reason {
	furthest := ReasonNotReady
	for i := range d.match.rule.needs {
		reason := d.check(&d.match.rule.needs[i])
		if (reason == ReasonAllowed) == d.match.rule.anyOf {
			return reason
		}
		furthest = max(furthest, reason)
	}
	return furthest
}

// check decides on one need.
func (d *Decision) check(n *need) Reason {
	set := d.derived
	if n.foreign {
		set = d.presented
	}
	i, found := findService(set.services, n.service)
	if !found {
		if d.presented.Empty() {
			return ReasonNoResourceScope
		}
		return ReasonServiceMissing
	}
	held := findPermission(set.services[i].permissions, n.permission)
	if len(held) == 0 {
		return ReasonPermissionMissing
	}
	if !covered(held, 0, cursor{segs: n.resource.segs, tail: n.resource.tail, values: &d.values}) {
		return ReasonResourceMissing
	}
	return ReasonAllowed
}

// Allowed says whether the request may pass.
func (d Decision) Allowed() bool { return d.reason == ReasonAllowed }

// Reason says why.
func (d Decision) Reason() Reason { return d.reason }

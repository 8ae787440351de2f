package scopes

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Policy is the compiled rules of one guard. It is immutable. A nil Policy has
// no rules and denies all. See docs/scopes.md, section 3.4.
type Policy struct {
	tries    map[string]*node  // by method
	readers  map[string]string // by header: the place of the first rule that reads it
	public   []string
	warnings []string
}

// NewPolicy compiles the rules of the guard in front of one service, which has
// the given permissions. For a rule that names SERVICE/PERMISSION, declared
// says whether that service has that permission; nil means that no other
// service is known. The claims are the names that [Claims] knows: a rule that
// names another one would refuse every request, so it is an error.
//
// The error joins one text for each rule that is wrong, with the Source of the
// rule and what was expected. The order of the rules does not matter. See
// docs/scopes.md, section 3.4.
func NewPolicy(service string, permissions []string, declared func(service, permission string) bool, claims []string, rules []Rule) (*Policy, error) {
	if err := CheckID(service); err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	for i, p := range permissions {
		if err := CheckID(p); err != nil {
			return nil, fmt.Errorf("service %q: permission: %w", service, err)
		}
		if slices.Contains(permissions[:i], p) {
			return nil, fmt.Errorf("service %q: permission %q is declared twice", service, p)
		}
	}
	c := compiler{service: service, permissions: permissions, declared: declared, claims: claims}
	p := &Policy{tries: make(map[string]*node), readers: make(map[string]string)}
	var errs []error
	for i := range rules {
		if err := p.add(&c, &rules[i]); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	slices.Sort(p.public)
	return p, nil
}

// Public returns the public rules as "METHOD PATH", sorted, to be printed when
// the guard starts.
func (p *Policy) Public() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.public)
}

// Warnings returns what is allowed but probably not meant, in the order of the
// rules: a public rule with a variable in its first segment, and an alternative
// of any_of that neither has a variable that another one checks nor ends in "**".
func (p *Policy) Warnings() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.warnings)
}

// Headers returns the canonical names of the headers that variables of a rule
// read, sorted. A guard refuses to load where it removes one of them itself.
func (p *Policy) Headers() []string {
	if p == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(p.readers))
}

// Reader returns the first rule that reads a header, as in "f:1: METHOD PATH",
// for errors; "" where none does.
func (p *Policy) Reader(header string) string {
	if p == nil {
		return ""
	}
	return p.readers[header]
}

// add compiles one rule and puts it into the trie of its method.
func (p *Policy) add(c *compiler, in *Rule) error {
	r, err := c.compile(in)
	if err != nil {
		return err
	}
	root := p.tries[r.method]
	if root == nil {
		root = new(node)
		p.tries[r.method] = root
	}
	if other := root.insert(r); other != nil {
		if other.source == "" {
			return in.fault("%s: it is the same as %s", r.name, other.name)
		}
		return in.fault("%s: it is the same as %s at %s", r.name, other.name, other.source)
	}
	for _, i := range r.inputs {
		if i.kind == inputHeader && p.readers[i.name] == "" {
			p.readers[i.name] = in.fault("%s", r.name).Error()
		}
	}
	if r.access == AccessPublic {
		p.public = append(p.public, r.name)
	}
	if text := r.doubtful(); text != "" {
		p.warnings = append(p.warnings, in.fault("%s: %s", r.name, text).Error())
	}
	return nil
}

// doubtful says what of a rule is allowed but probably not meant, "" for nothing.
func (r *rule) doubtful() string {
	if r.access == AccessPublic && len(r.path) > 0 && r.path[0].kind != segLiteral {
		return "public, with a variable in the first segment: it opens more than is in sight"
	}
	if meant := misspelt(r.method); meant != "" {
		return "the method is almost " + meant + ": if that is meant, its requests do not find this rule"
	}
	// One alternative is enough, so a variable that it does not look at is open.
	for _, n := range r.needs {
		for _, s := range r.path {
			if r.anyOf && !n.resource.tail && s.kind != segLiteral && s.slot >= 0 && !slices.Contains(n.resource.segs, s) {
				return "an alternative of any_of does not look at a variable that another one checks: " +
					"whoever holds it may use every value"
			}
		}
	}
	return ""
}

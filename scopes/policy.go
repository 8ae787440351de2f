package scopes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Policy is the compiled rules of one guard. It is immutable. A nil Policy has
// no rules and denies all. See docs/scopes.md, section 3.4.
type Policy struct {
	service  string
	tries    map[string]*node // by method
	methods  []string         // sorted
	public   []string
	warnings []string
}

// rule is one rule, checked and compiled.
type rule struct {
	access Access
	name   string
	source string
	path   []seg // without the trailing slash
	slash  bool
	needs  []need // all of them must be met
}

// need is one right that a rule asks for.
type need struct {
	service    string
	permission string
	foreign    bool // of another service: decided on the presented set
	resource   template
}

// template is a pattern with variables, in compiled parts. It is never a text
// that something is put into.
type template struct {
	segs []seg
	tail bool
}

// NewPolicy compiles the rules of the guard in front of one service, which has
// the given permissions. For a rule that names SERVICE/PERMISSION, declared
// says whether that service has that permission; nil means that no other
// service is known.
//
// The error joins one text for each rule that is wrong, with the Source of the
// rule and what was expected. The order of the rules does not matter. See
// docs/scopes.md, section 3.4.
func NewPolicy(service string, permissions []string, declared func(service, permission string) bool, rules []Rule) (*Policy, error) {
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
	c := compiler{service: service, permissions: permissions, declared: declared}
	p := &Policy{service: service, tries: make(map[string]*node)}
	var errs []error
	for i := range rules {
		if err := p.add(&c, &rules[i]); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for m := range p.tries {
		p.methods = append(p.methods, m)
	}
	slices.Sort(p.methods)
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
// rules: a public rule with a variable in its first segment.
func (p *Policy) Warnings() []string {
	if p == nil {
		return nil
	}
	return slices.Clone(p.warnings)
}

// Headers returns the canonical names of the headers that {header:...} reads,
// sorted. A guard refuses to load when it removes one of them itself.
func (p *Policy) Headers() []string {
	return nil
}

// add compiles one rule and puts it into the trie of its method.
func (p *Policy) add(c *compiler, in *Rule) error {
	r, err := c.compile(in)
	if err != nil {
		return in.fault("%s: %w", in.name(), err)
	}
	root := p.tries[in.Method]
	if root == nil {
		root = new(node)
		p.tries[in.Method] = root
	}
	if other := root.insert(r); other != nil {
		if other.source == "" {
			return in.fault("%s: it is the same as %s", r.name, other.name)
		}
		return in.fault("%s: it is the same as %s at %s", r.name, other.name, other.source)
	}
	if r.access != AccessPublic {
		return nil
	}
	p.public = append(p.public, r.name)
	if len(r.path) > 0 && r.path[0].kind != segLiteral {
		p.warnings = append(p.warnings, in.fault("%s: public, with a variable in the first segment: "+
			"it opens more than is in sight", r.name).Error())
	}
	return nil
}

// compiler is what a rule is checked against.
type compiler struct {
	service     string
	permissions []string
	declared    func(service, permission string) bool
}

// compile checks one rule and compiles it.
func (c *compiler) compile(in *Rule) (*rule, error) {
	switch {
	case in.Method == methodGRPC:
		return nil, errors.New("grpc rules are not supported yet")
	case len(in.AllOf) > 1 || len(in.AnyOf) > 0 || in.Each != nil:
		return nil, errors.New("all_of, any_of and each are not supported yet")
	case in.Method == "HEAD":
		return nil, errors.New("HEAD follows GET: write the rule for GET")
	case in.Method == "CONNECT" || in.Method == "TRACE":
		return nil, fmt.Errorf("%s cannot be guarded: a proxy sends CONNECT on as another method, and TRACE echoes the token; expected a method such as GET", in.Method)
	case !isMethod(in.Method):
		return nil, fmt.Errorf("unrecognized method %s: expected one such as GET", quote(in.Method))
	}
	segs, slash, vars, err := compilePath(in.Path)
	if err != nil {
		return nil, err
	}
	access := in.Access
	if access == AccessNone {
		access = AccessPermission
	}
	r := &rule{access: access, name: in.name(), source: in.Source, path: segs, slash: slash}
	switch access {
	case AccessPermission:
		if len(in.AllOf) == 0 {
			return nil, errors.New("expected a permission and a resource, in its line or in its block")
		}
		n, err := c.need(in.AllOf[0].Permission)
		if err != nil {
			return nil, err
		}
		if n.resource, err = compileResource(in.AllOf[0].Resource, segs, vars); err != nil {
			return nil, err
		}
		r.needs = []need{n}
	case AccessAuthenticated, AccessPublic:
		if len(in.AllOf) > 0 {
			return nil, errors.New("a public or authenticated rule has no permission and no resource")
		}
	default:
		return nil, errors.New("unrecognized access")
	}
	if open := unchecked(vars); len(open) > 0 {
		text := open[0]
		if access == AccessPermission {
			return nil, fmt.Errorf("%s is not checked: use it in the resource, or write {_%s", text, text[1:])
		}
		return nil, fmt.Errorf("%s is not checked, there is no resource: write {_%s", text, text[1:])
	}
	return r, nil
}

// unchecked returns the variables that no resource uses, in order of the path.
func unchecked(vars map[string]*variable) []string {
	var list []*variable
	for _, v := range vars {
		if !v.used {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b *variable) int { return a.at - b.at })
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = v.text
	}
	return texts
}

// need reads the permission of a rule.
func (c *compiler) need(text string) (need, error) {
	serviceID, permissionID, err := ParsePermission(text)
	if err != nil {
		return need{}, err
	}
	if serviceID == "" || serviceID == c.service {
		if slices.Contains(c.permissions, permissionID) {
			return need{service: c.service, permission: permissionID}, nil
		}
		if len(c.permissions) == 0 {
			return need{}, fmt.Errorf("permission %q: service %q declares none", permissionID, c.service)
		}
		return need{}, fmt.Errorf("permission %q is not declared by service %q: the nearest is %q",
			permissionID, c.service, nearest(permissionID, c.permissions))
	}
	if c.declared == nil || !c.declared(serviceID, permissionID) {
		return need{}, fmt.Errorf("permission %q is not declared by a service %q", permissionID, serviceID)
	}
	return need{service: serviceID, permission: permissionID, foreign: true}, nil
}

// nearest returns the first of the words with the smallest edit distance.
func nearest(word string, words []string) string {
	best, least := "", 0
	for i, w := range words {
		if d := distance(strings.ToLower(word), strings.ToLower(w)); i == 0 || d < least {
			best, least = w, d
		}
	}
	return best
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

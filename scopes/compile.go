package scopes

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	maxNeeds = 64  // of one rule
	maxItems = 100 // of one list
)

// rule is one rule, checked and compiled.
type rule struct {
	access Access
	name   string
	source string
	method string
	path   []seg // without the trailing slash
	slash  bool
	needs  []need
	anyOf  bool // one of the needs is enough
	inputs []input
	each   list
}

// need is one right that a rule asks for.
type need struct {
	service    string
	permission string
	foreign    bool // of another service: decided on the presented set
	resource   template
}

// list says which value is a list. The zero value is no list.
type list struct {
	separator string
	slot      int8 // of the item that is being decided on
}

// compiler is what a rule is checked against.
type compiler struct {
	service     string
	permissions []string
	declared    func(service, permission string) bool
	claims      []string
}

// compile checks one rule and compiles it. The error begins with the place.
func (c *compiler) compile(in *Rule) (*rule, error) {
	r, syms, err := compileLine(in)
	if err != nil {
		return nil, in.fault("%s: %w", in.name(), err)
	}
	syms.claims = c.claims
	for _, text := range slices.Concat(in.AllOf, in.AnyOf) {
		right, err := c.need(text.Permission)
		if err == nil {
			right.resource, err = syms.compileResource(text.Resource)
		}
		if err != nil {
			return nil, faultAt(cmp.Or(text.Source, in.Source), "%s: %w", in.name(), err)
		}
		r.needs = append(r.needs, right)
	}
	// Slots are given while resources are read.
	r.path, r.inputs = syms.segs, syms.inputs
	if err = r.compileEach(in.Each); err == nil {
		err = syms.checkAllUsed(r.access)
	}
	if err != nil {
		return nil, in.fault("%s: %w", in.name(), err)
	}
	return r, nil
}

// compileLine compiles all but the needs.
func compileLine(in *Rule) (*rule, *symbols, error) {
	r := &rule{
		access: cmp.Or(in.Access, AccessPermission), name: in.name(), source: in.Source,
		method: in.Method, anyOf: len(in.AnyOf) > 0,
	}
	path := in.Path
	switch {
	case in.Method == methodGRPC:
		if err := checkGRPC(in.Path); err != nil {
			return nil, nil, err
		}
		r.method, path = "POST", "/"+in.Path
	case in.Method == "HEAD":
		return nil, nil, errors.New("HEAD follows GET: write the rule for GET")
	case in.Method == "CONNECT" || in.Method == "TRACE":
		return nil, nil, fmt.Errorf("%s cannot be guarded: a proxy sends CONNECT on as another method, and TRACE echoes the token; expected a method such as GET", in.Method)
	case !IsMethod(in.Method):
		return nil, nil, fmt.Errorf("unrecognized method %s: expected one such as GET", quote(in.Method))
	}
	syms, slash, err := compilePath(path)
	if err != nil {
		return nil, nil, err
	}
	r.slash = slash
	return r, syms, checkNeeds(r.access, in)
}

// checkGRPC checks SERVICE/METHOD. The path of a call is that and no other, so
// the method is one segment too, and never a trailing slash.
func checkGRPC(text string) error {
	service, method, _ := strings.Cut(text, "/")
	kind, ignored, err := parseVariable(method)
	isPart := func(s string) bool { return isWord(s, isLetterOrUnderscore, "0123456789") }
	switch {
	case err != nil:
		return err
	case slices.ContainsFunc(strings.Split(service, "."), func(s string) bool { return !isPart(s) }),
		kind == segNone && !isPart(method), kind == segRest, kind == segVariable && !ignored:
		return fmt.Errorf("unrecognized %s: expected SERVICE/METHOD, as in shop.v1.Orders/Get, or SERVICE/{_method} for all of its methods", quote(text))
	}
	return nil
}

func isLetterOrUnderscore(c byte) bool { return isLetter(c) || c == '_' }

// checkNeeds checks how many needs a rule has, and in which list.
func checkNeeds(access Access, in *Rule) error {
	needs := len(in.AllOf) + len(in.AnyOf)
	switch {
	case access > AccessPublic:
		return fmt.Errorf("%d is not an access", access)
	case access != AccessPermission && (needs > 0 || in.Each != nil):
		return errors.New("a public or authenticated rule has no permission, no resource and no block")
	case access == AccessPermission && needs == 0:
		return errors.New("expected a permission and a resource, in its line or in its block")
	case len(in.AllOf) > 0 && len(in.AnyOf) > 0:
		return errors.New("expected all_of or any_of, found both")
	case needs > maxNeeds:
		return fmt.Errorf("%d permissions and resources: expected at most %d", needs, maxNeeds)
	}
	return nil
}

// separators are the characters that may stand between the items of a list.
// None of them can be a part of an escape, and none has a meaning in a query or
// in a resource.
const separators = "!$(),-.:@^_|~"

// compileEach finds the variable that is a list.
func (r *rule) compileEach(in *Each) error {
	if in == nil {
		return nil
	}
	text := "{" + in.Variable + "}"
	v, found, err := parseInput(text)
	switch {
	case err != nil:
		return fmt.Errorf("each: %w", err)
	case !found || v.kind == inputClaim:
		return fmt.Errorf("each: unrecognized variable %s: expected query:NAME or header:NAME", quote(in.Variable))
	case len(in.Separator) != 1 || !strings.Contains(separators, in.Separator):
		return fmt.Errorf("each: separator %s: expected one of %s", quote(in.Separator), separators)
	}
	i := slices.IndexFunc(r.inputs, v.same)
	if i < 0 {
		return fmt.Errorf("each: no resource uses %s", text)
	}
	r.each = list{separator: in.Separator, slot: r.inputs[i].slot}
	return nil
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

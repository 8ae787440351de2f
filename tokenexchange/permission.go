package tokenexchange

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// lines reads permit or own lines into a set.
func (r *Realm) lines(word string, lines []PermissionLine) (scopes.Set, error) {
	var entries []scopes.Entry
	for i, line := range lines {
		e, err := r.expand(line.Permission, line.Patterns, nil)
		if err != nil {
			return scopes.Set{}, InLine(word, i, err)
		}
		entries = append(entries, e...)
	}
	set, err := scopes.NewSet(entries...)
	return set, InLine(word, 0, err)
}

// requiredLines reads required lines. What the client cannot get at all would be
// required of nobody, so somebody who wrote it believes otherwise.
func (r *Realm) requiredLines(c *client, lines []PermissionLine) (scopes.Set, error) {
	set, err := r.lines("required", lines)
	if err != nil {
		return scopes.Set{}, err
	}
	ceiling := c.ceiling().Entries()
	for i, line := range lines {
		entries, err := r.expand(line.Permission, line.Patterns, nil)
		if err != nil {
			return scopes.Set{}, InLine("required", i, err)
		}
		for _, e := range entries {
			if !slices.ContainsFunc(ceiling, func(wider scopes.Entry) bool { return covers(wider, e) }) {
				return scopes.Set{}, InLine("required", i, fmt.Errorf("%s/%s %s is outside of the client's %s lines; expected a pattern inside one of theirs", e.Service, e.Permission, e.Resource, c.ceilingWord()))
			}
		}
	}
	return set, nil
}

// userLine reads a permission of the users file: "shop/orders.read orders/** reports/{org}/*".
func (r *Realm) userLine(line, org string) ([]scopes.Entry, error) {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return nil, errors.New("expected SERVICE/PERMISSION and at least one pattern")
	}
	return r.expand(fields[0], fields[1:], inOrg(org))
}

// inOrg is what stands for the organization in a line.
func inOrg(org string) map[string]string { return map[string]string{"{org}": org} }

// expand gives the entries of one line. SERVICE/* becomes all that the service
// declares now: no value means "everything" at run time. Each of places is a
// segment that stands for one literal, as {org} does; it is a whole segment, so it
// cannot make a wider pattern.
func (r *Realm) expand(permission string, patterns []string, places map[string]string) ([]scopes.Entry, error) {
	serviceID, name, found := strings.Cut(permission, "/")
	s := r.services[serviceID]
	switch {
	case !found || name == "":
		return nil, fmt.Errorf("%q: expected SERVICE/PERMISSION or SERVICE/*", permission)
	case s == nil:
		return nil, fmt.Errorf("%q: there is no service %q; expected one of the services: %s", permission, serviceID, names(r.services))
	case name != "*" && !slices.Contains(s.permissions, name):
		return nil, fmt.Errorf("%q: service %s declares no such permission; expected one of %s", permission, serviceID, strings.Join(s.permissions, ", "))
	case name == "*" && len(s.permissions) == 0:
		return nil, fmt.Errorf("%q: service %s declares no permissions; expected a permissions line in its block", permission, serviceID)
	}
	names := []string{name}
	if name == "*" {
		names = s.permissions
	}
	resources, err := parsePatterns(permission, patterns, places)
	if err != nil {
		return nil, err
	}
	var entries []scopes.Entry
	for _, resource := range resources {
		for _, n := range names {
			entries = append(entries, scopes.Entry{Service: serviceID, Permission: n, Resource: resource})
		}
	}
	return entries, nil
}

// parsePatterns reads the patterns of a line.
func parsePatterns(permission string, patterns []string, places map[string]string) (resources []scopes.Pattern, err error) {
	if len(patterns) == 0 {
		return nil, fmt.Errorf("%s: expected at least one resource pattern; ** means all", permission)
	}
	for _, text := range patterns {
		segments := strings.Split(text, "/")
		for i, segment := range segments {
			if literal, ok := places[segment]; ok {
				segments[i] = literal
			}
		}
		text = strings.Join(segments, "/")
		if strings.ContainsAny(text, "{}") {
			return nil, fmt.Errorf("%s %s: expected a pattern; only {org} in the users file and {claim:NAME} in a map line are replaced, and only as a whole segment", permission, text)
		}
		pattern, err := scopes.ParsePattern(text)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", permission, text, err)
		}
		resources = append(resources, pattern)
	}
	return resources, nil
}

package tokenexchange

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// mapping says what the users of another issuer may do here, by the claims that it
// signed. The zero value gives nothing.
type mapping struct {
	lines  []MapLine
	names  []string // of the claims that the lines read
	expand func(permission string, patterns []string, places map[string]string) ([]scopes.Entry, error)
}

// claimName is a claim, or a dotted path to one: realm_access.roles,
// https://shop.example.com/roles.
var claimName = regexp.MustCompile(`^[\x21-\x7A\x7C\x7E]{1,256}$`)

// ourClaims would carry what another issuer says of our own permissions.
var ourClaims = []string{"allowed_resource_scope", "perms", "act"}

// newMapping checks map lines. Those with {claim:NAME} are checked with a literal
// in its place.
func (r *Realm) newMapping(lines []MapLine) (mapping, error) {
	m := mapping{lines: lines, expand: r.expand}
	for n, line := range lines {
		if err := r.checkMapLine(line); err != nil {
			return mapping{}, InLine("map", n, err)
		}
		if slices.ContainsFunc(lines[:n], line.equal) {
			return mapping{}, InLine("map", n, errors.New("a line that was there before; expected it once"))
		}
		m.names = append(m.names, line.Claim)
		for _, name := range line.places() {
			m.names = append(m.names, name)
		}
	}
	slices.Sort(m.names)
	m.names = slices.Compact(m.names)
	return m, nil
}

func (r *Realm) checkMapLine(line MapLine) error {
	filled := map[string]string{}
	for segment, name := range line.places() {
		if err := checkClaimName(name); err != nil {
			return err
		}
		filled[segment] = "x"
	}
	switch err := checkClaimName(line.Claim); {
	case err != nil:
		return err
	case line.Value == "":
		return fmt.Errorf("expected a value of %s", line.Claim)
	case len(line.Roles) == 0 && !strings.Contains(line.Permission, "/"): // Maybe a misspelt role.
		return fmt.Errorf("%q: expected SERVICE/PERMISSION, SERVICE/*, or role and at least one role", line.Permission)
	case len(line.Roles) == 0:
		_, err = r.expand(line.Permission, line.Patterns, filled)
		return err
	case line.Permission != "" || len(line.Patterns) > 0:
		return errors.New("expected roles, or a permission and its patterns")
	}
	for n, role := range line.Roles {
		switch {
		case !isRole(role):
			return fmt.Errorf("%q: expected a role such as csp:org_member", role)
		case slices.Contains(line.Roles[:n], role):
			return fmt.Errorf("%s is listed twice; expected once", role)
		}
	}
	return nil
}

func checkClaimName(name string) error {
	first, _, _ := strings.Cut(name, ".")
	switch {
	case !claimName.MatchString(name):
		return fmt.Errorf("%q: expected the name of a claim, or a dotted path such as realm_access.roles", name)
	case slices.Contains(ourClaims, first):
		return fmt.Errorf("%s is what tokens of this server say; expected another claim", first)
	}
	return nil
}

// places returns the names of the claims that the patterns of a line take a
// literal from, by the segment that stands for it.
func (l MapLine) places() map[string]string {
	found := map[string]string{}
	for _, pattern := range l.Patterns {
		for segment := range strings.SplitSeq(pattern, "/") {
			name, opened := strings.CutPrefix(segment, "{claim:")
			if name, closed := strings.CutSuffix(name, "}"); opened && closed {
				found[segment] = name
			}
		}
	}
	return found
}

// reads returns the names of the claims that are kept of a user.
func (m mapping) reads() []string { return slices.Concat(m.names, identityClaims) }

// expects returns the names of the claims without which a login is not whole: those
// that the lines read, and those that were asked for with the scope.
func (m mapping) expects(scope []string) (names []string) {
	for _, name := range m.names {
		first, _, _ := strings.Cut(name, ".")
		add(&names, first)
	}
	for word, name := range map[string]string{"profile": "preferred_username", "email": "email"} {
		if slices.Contains(scope, word) {
			add(&names, name)
		}
	}
	slices.Sort(names)
	return names
}

// equal reports whether two lines say the same.
func (l MapLine) equal(other MapLine) bool {
	return l.Claim == other.Claim && l.Value == other.Value && l.Permission == other.Permission &&
		slices.Equal(l.Patterns, other.Patterns) && slices.Equal(l.Roles, other.Roles)
}

// matches reports whether the claim has the value: it equals the string, an element
// of the array, or a word of scope.
func (l MapLine) matches(c claims) bool {
	if l.Claim == "scope" || l.Claim == "scp" {
		if slices.Contains(strings.Fields(c.Texts[l.Claim]), l.Value) {
			return true
		}
	}
	text, isText := c.Texts[l.Claim]
	return isText && text == l.Value || slices.Contains(c.Lists[l.Claim], l.Value)
}

// gives returns what the lines give to whoever has these claims, and whether one
// of them matched. A line whose {claim:NAME} is no literal gives nothing: neither
// does it match.
func (m mapping) gives(c claims) (roles []string, rights scopes.Set, matched bool, err error) {
	var entries []scopes.Entry
	for _, line := range m.lines {
		filled, whole := line.fill(c)
		if !whole || !line.matches(c) {
			continue
		}
		if len(line.Roles) == 0 {
			more, err := m.expand(line.Permission, line.Patterns, filled)
			if err != nil {
				continue // What the claim says makes no pattern.
			}
			entries = append(entries, more...)
		}
		for _, role := range line.Roles {
			if !slices.Contains(roles, role) {
				roles = append(roles, role)
			}
		}
		matched = true
	}
	rights, err = scopes.NewSet(entries...)
	return roles, rights, matched, err
}

// fill returns the literals that stand for the segments of a line, and whether
// there is one for each.
func (l MapLine) fill(c claims) (filled map[string]string, whole bool) {
	filled = map[string]string{}
	for segment, name := range l.places() {
		literal, err := scopes.NewLiteral(c.Texts[name])
		if err != nil {
			return nil, false
		}
		filled[segment] = literal.String()
	}
	return filled, true
}

// lessThan reports whether somebody may get less from the next lines than from
// these: a line is missing. Which one of theirs would do in its place depends on
// claims that nobody has at hand.
func (m mapping) lessThan(next mapping) bool {
	return slices.ContainsFunc(m.lines, func(l MapLine) bool { return !slices.ContainsFunc(next.lines, l.equal) })
}

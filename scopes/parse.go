package scopes

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// ParseSet reads what a token or a record holds:
//
//	{"servicesScopes":[{"serviceDefinitionId":"orders","permissions":[
//	  {"permissionId":"orders.read","resources":["orders/42","orders/eu/**"]}]}]}
//
// No list may be missing, null or empty, and no service or permission may be
// listed twice. The JSON is read strictly: UTF-8, exact names, no unknown or
// repeated ones, nothing after the end. The order does not matter and what is
// covered by something else may be listed. The error names the place; it is a
// [*LimitError] if the set is too large. See docs/scopes.md, section 3.1.
func ParseSet(data []byte) (Set, error) {
	list, err := parse(data, false)
	if err != nil {
		return Set{}, fmt.Errorf("reading a resource scope: %w", err)
	}
	s, err := assemble(list)
	if err != nil {
		return Set{}, fmt.Errorf("reading a resource scope: %w", err)
	}
	return s, nil
}

// ParseAsk reads what a request asks for. It is the form of [ParseSet], but
// "resources" may be missing or null: then all that is held for the permission
// is asked for. An empty list is an error in every place. See docs/scopes.md,
// section 3.1.
func ParseAsk(data []byte) (Ask, error) {
	list, err := parse(data, true)
	if err != nil {
		return Ask{}, fmt.Errorf("reading the asked resource scope: %w", err)
	}
	s, err := assemble(list)
	if err != nil {
		return Ask{}, fmt.Errorf("reading the asked resource scope: %w", err)
	}
	return Ask(s), nil
}

// parse reads the wire form. An ask may leave out the resources.
func parse(data []byte, ask bool) ([]service, error) {
	if len(data) > maxInput {
		return nil, &LimitError{Limit: "bytes of input", Max: maxInput, Used: len(data)}
	}
	r := &reader{data: string(data)}
	var list []service
	err := r.object("the scope", func(key string) error {
		if key != "servicesScopes" {
			return errUnknown
		}
		return r.array(key, func() error {
			s, err := r.service(ask)
			list = append(list, s)
			return err
		})
	})
	if err == nil {
		err = r.end()
	}
	if err == nil && list == nil {
		err = errors.New(`"servicesScopes" is missing`)
	}
	if err == nil {
		err = checkRepeats(list)
	}
	if err == nil && r.entries > maxEntries {
		err = &LimitError{Limit: "entries", Max: maxEntries, Used: r.entries}
	}
	if err != nil {
		return nil, err
	}
	return list, nil
}

// service reads one member of servicesScopes.
func (r *reader) service(ask bool) (service, error) {
	var s service
	err := r.object("a service", func(key string) (err error) {
		switch key {
		case "serviceDefinitionId":
			s.id, err = r.id()
			return err
		case "permissions":
			return r.array(key, func() error {
				p, err := r.permission(ask)
				s.permissions = append(s.permissions, p)
				return err
			})
		}
		return errUnknown
	})
	switch {
	case err != nil:
	case s.id == "":
		err = r.fault(`a service without "serviceDefinitionId"`)
	case s.permissions == nil:
		err = r.fault(`service %q without "permissions"`, s.id)
	}
	return s, err
}

// permission reads one member of permissions.
func (r *reader) permission(ask bool) (permission, error) {
	var p permission
	asksForAll := ask
	err := r.object("a permission", func(key string) (err error) {
		switch key {
		case "permissionId":
			p.id, err = r.id()
			return err
		case "resources":
			if ask && r.null() {
				return nil
			}
			asksForAll = false
			return r.array(key, func() error {
				pattern, err := r.pattern()
				p.patterns = append(p.patterns, pattern)
				r.entries++
				return err
			})
		}
		return errUnknown
	})
	switch {
	case err != nil:
	case p.id == "":
		err = r.fault(`a permission without "permissionId"`)
	case p.patterns == nil && !asksForAll:
		err = r.fault(`permission %q without "resources"`, p.id)
	}
	return p, err
}

// id reads the id of a service or of a permission.
func (r *reader) id() (string, error) {
	s, err := r.str()
	if err != nil {
		return "", err
	}
	if err := CheckID(s); err != nil {
		return "", r.fault("%w", err)
	}
	return s, nil
}

// pattern reads one member of resources.
func (r *reader) pattern() (Pattern, error) {
	s, err := r.str()
	if err != nil {
		return Pattern{}, err
	}
	p, err := ParsePattern(s)
	if err != nil {
		return Pattern{}, r.fault("%w", err)
	}
	return p, nil
}

// checkRepeats refuses a service that is listed twice, or a permission twice
// within one: two places for one right are how readers come to differ.
func checkRepeats(list []service) error {
	services := make(map[string]bool, len(list))
	for _, s := range list {
		if services[s.id] {
			return fmt.Errorf("service %q is listed twice", s.id)
		}
		services[s.id] = true
		permissions := make(map[string]bool, len(s.permissions))
		for _, p := range s.permissions {
			if permissions[p.id] {
				return fmt.Errorf("permission %q of service %q is listed twice", p.id, s.id)
			}
			permissions[p.id] = true
		}
	}
	return nil
}

// writeCanonical writes the one text of a list that is in canonical order. The
// patterns are sorted by their bytes, which is not the order of the index.
func writeCanonical(list []service) string {
	b := []byte(`{"servicesScopes":[`)
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"serviceDefinitionId":"`+s.id+`","permissions":[`...)
		for j, p := range s.permissions {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, `{"permissionId":"`+p.id+`"`...)
			texts := make([]string, len(p.patterns))
			for k, pattern := range p.patterns {
				texts[k] = pattern.text
			}
			sort.Strings(texts)
			for k, text := range texts {
				if k == 0 {
					b = append(b, `,"resources":[`...)
				} else {
					b = append(b, ',')
				}
				b = appendString(b, text)
			}
			if len(texts) > 0 {
				b = append(b, ']')
			}
			b = append(b, '}')
		}
		b = append(b, `]}`...)
	}
	return string(append(b, `]}`...))
}

// appendString writes a JSON string the way encoding/json does, which escapes
// < > & and two line separators. So a canonical form is the same bytes alone
// and inside a claim set. The text has no control characters: no literal has.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch r {
		case '"':
			b = append(b, `\"`...)
		case '<', '>', '&', '\u2028', '\u2029':
			b = append(b, `\u`...)
			hex := strconv.FormatInt(int64(r), 16)
			b = append(b, strings.Repeat("0", 4-len(hex))+hex...)
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}

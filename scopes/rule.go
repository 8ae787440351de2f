package scopes

import (
	"fmt"
	"slices"
)

// Access says what a rule asks for. See docs/scopes.md, section 3.4.
type Access uint8

const (
	AccessNone          Access = iota // of a [Match]: no rule, denied; of a [Rule]: the same as AccessPermission
	AccessPermission                  // a permission on a resource
	AccessAuthenticated               // a valid token, whatever it holds
	AccessPublic                      // nothing; a token is not verified
)

// accessNames is in the order of the constants.
var accessNames = [...]string{"", "permission", "authenticated", "public"}

// MarshalText returns the word of the access, such as "public"; "" for AccessNone.
func (a Access) MarshalText() ([]byte, error) {
	if int(a) >= len(accessNames) {
		return nil, fmt.Errorf("%d is not an access", a)
	}
	return []byte(accessNames[a]), nil
}

// UnmarshalText reads what MarshalText writes.
func (a *Access) UnmarshalText(text []byte) error {
	i := slices.Index(accessNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("unrecognized access %s: expected permission, authenticated or public", quote(string(text)))
	}
	*a = Access(i)
	return nil
}

// Rule is one operation of an API, not yet checked. [NewPolicy] checks it. A
// rule that says no access asks for a permission, so the zero value opens
// nothing: it is a load error. See docs/scopes.md, section 3.4.
type Rule struct {
	// "permission" (default), "authenticated" or "public".
	Access Access `json:"access,omitempty"`
	// The HTTP method in capitals; GET stands for HEAD too. Or "grpc".
	Method string `json:"method"`
	// The path with its variables, written decoded, as in /orders/{id},
	// /files/{path...} or /v1/{_version}/ping. With the method "grpc":
	// SERVICE/METHOD, as in shop.v1.Orders/Get.
	Path string `json:"path"`
	// What is needed, all of it. A rule that asks for a permission has either
	// this or any_of, with at most 64 members.
	AllOf []RuleNeed `json:"all_of,omitempty"`
	// What is needed, one of it.
	AnyOf []RuleNeed `json:"any_of,omitempty"`
	// A list in the request of which every item must be allowed.
	Each *Each `json:"each,omitempty"`
	// Where the rule is written, such as Caddyfile:12. For error texts.
	Source string `json:"source,omitempty"`
}

// RuleNeed is one right that a rule asks for.
type RuleNeed struct {
	// The permission, the guard's own or SERVICE/PERMISSION.
	Permission string `json:"permission"`
	// The resource with its variables, as in orders/{id} or orders/**.
	Resource string `json:"resource"`
	// Where it is written, if that is not the line of the rule.
	Source string `json:"source,omitempty"`
}

// Each says that a value of the request is a list of 1 to 100 items, of which
// every one must be allowed. A resource of the rule uses the variable.
type Each struct {
	// The variable without braces, as in query:ids.
	Variable string `json:"variable"`
	// What stands between two items: one printable ASCII character.
	Separator string `json:"separator"`
}

// methodGRPC is the method of a rule that is written as grpc SERVICE/METHOD.
const methodGRPC = "grpc"

// fault is an error that begins with the place of the rule.
func (r *Rule) fault(format string, args ...any) error { return faultAt(r.Source, format, args...) }

// faultAt is an error that begins with a place, if that is known.
func faultAt(source, format string, args ...any) error {
	if source != "" {
		format, args = "%s: "+format, append([]any{source}, args...)
	}
	return fmt.Errorf(format, args...)
}

// name is how logs show the rule.
func (r *Rule) name() string { return r.Method + " " + r.Path }

// Package scopes is the language of the claim allowed_resource_scope, and the
// decision that a guard takes with it. Everything in it is a pure value or a
// pure function: no network, no clock, no files, and nothing imported but the
// standard library.
//
// # What it owns
//
//   - [Set]: what a token, a consent or a configuration line holds: entries of
//     service, permission and resource [Pattern]. [Set.Meet], [Set.Contains].
//   - [Ask]: what a request says that it wants. [Ask.Resolve] is the only way
//     from an Ask to a Set.
//   - [CanonicalPath]: the one form of a request path, for the rules, for the
//     log and for the upstream.
//   - [Policy]: the rules of one guard, compiled once. [Policy.Find] finds the
//     rule of a request, [Match.Decide] decides on it with the [Inputs] that the
//     rule reads. [ParseRule], [ParseNeed] and [ParseEach] know the lines.
//   - [Decision]: why, what is missing, and what this one request needs.
//   - [Reason]: the closed set of words for how a request was answered.
//
// # What it does not
//
// It verifies no token, writes no answer, and reads nothing of a request that no
// rule names. It does not know what a user is, which client may ask for what, or
// when a token ends.
//
// # One flow
//
//	policy, err := scopes.NewPolicy("orders", []string{"orders.read"}, nil, nil, []scopes.Rule{{
//		Method: "GET", Path: "/orders/{id}", Source: "Caddyfile:12",
//		AllOf: []scopes.RuleNeed{{Permission: "orders.read", Resource: "orders/{id}"}},
//	}})
//	...
//	path, err := scopes.CanonicalPath(rawPath, scopes.RefuseEncodedSlash) // 400 on an error
//	match := policy.Find(method, path)                                    // tell nobody yet
//	presented, err := scopes.ParseSet(claim)                              // token_malformed on an error
//	decision := match.Decide(presented, presented.Service("orders"), inputs)
//	if !decision.Allowed() {
//		// 403 with decision.Reason() and decision.Missing()
//	}
//
// # Promises
//
// There is only "allow" and no order: an error can only deny. The zero value of
// every type denies, and no value means "everything". What a request or a claim
// says enters a resource as a [Literal] or not at all. Values are immutable and
// safe for concurrent use. Finding and deciding allocate nothing, except for a
// value of the query that has escapes, and their time does not grow with the
// number of rules.
//
// The language is described in docs/scopes.md; the section numbers in the
// comments of this package are the ones of that page.
package scopes

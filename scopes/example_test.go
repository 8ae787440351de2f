package scopes_test

import (
	"fmt"

	"github.com/scopegate/scopegate/scopes"
)

// mustSet reads what a token holds.
func mustSet(text string) scopes.Set {
	s, err := scopes.ParseSet([]byte(text))
	if err != nil {
		panic(err)
	}
	return s
}

// mustPath makes a canonical path.
func mustPath(raw string) scopes.Path {
	p, err := scopes.CanonicalPath(raw, scopes.RefuseEncodedSlash)
	if err != nil {
		panic(err)
	}
	return p
}

// What a token may do is cut by what its user consented to. The result is one
// list again, and lies inside both.
func ExampleSet_Meet() {
	token := mustSet(`{"servicesScopes":[{"serviceDefinitionId":"orders","permissions":[
		{"permissionId":"orders.read","resources":["orders/*/lines/**","bills/2024*"]}]}]}`)
	consent := mustSet(`{"servicesScopes":[{"serviceDefinitionId":"orders","permissions":[
		{"permissionId":"orders.read","resources":["orders/7/**"]},{"permissionId":"orders.write","resources":["**"]}]}]}`)
	both, err := token.Meet(consent)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range both.Entries() {
		fmt.Println(e.Service, e.Permission, e.Resource)
	}
	fmt.Println(token.Contains(both), consent.Contains(both))
	// Output:
	// orders orders.read orders/7/lines/**
	// true true
}

// A request that asks for more than is held gets nothing, and hears what was
// too much.
func ExampleAsk_Resolve() {
	held := mustSet(`{"servicesScopes":[{"serviceDefinitionId":"orders","permissions":[
		{"permissionId":"orders.read","resources":["orders/**"]}]}]}`)
	for _, text := range []string{
		`{"servicesScopes":[{"serviceDefinitionId":"orders","permissions":[{"permissionId":"orders.read","resources":["orders/1"]}]}]}`,
		`{"servicesScopes":[{"serviceDefinitionId":"orders","permissions":[{"permissionId":"orders.read"}]}]}`,
		`{"servicesScopes":[{"serviceDefinitionId":"orders","permissions":[{"permissionId":"orders.read","resources":["orders/1","bills/1"]}]}]}`,
	} {
		ask, err := scopes.ParseAsk([]byte(text))
		if err != nil {
			fmt.Println(err)
			return
		}
		granted, excess, err := ask.Resolve(held)
		fmt.Println(granted.Entries(), excess, err)
	}
	// Output:
	// [{orders orders.read orders/1}] [] <nil>
	// [{orders orders.read orders/**}] [] <nil>
	// [] [{orders orders.read bills/1}] <nil>
}

// One path for the rules, the log and the upstream, or an error.
func ExampleCanonicalPath() {
	for _, raw := range []string{"/orders/%31", "/caf%c3%a9", "/orders/../admin", "/files/a%2Fb"} {
		path, err := scopes.CanonicalPath(raw, scopes.RefuseEncodedSlash)
		fmt.Printf("%q %q %v\n", path.Raw(), path.Decoded(), err)
	}
	kept, err := scopes.CanonicalPath("/files/a%2fb", scopes.KeepEncodedSlash)
	fmt.Printf("%q %q %v\n", kept.Raw(), kept.Decoded(), err)
	// Output:
	// "/orders/1" "/orders/1" <nil>
	// "/caf%C3%A9" "/café" <nil>
	// "" "" the path holds a dot segment
	// "" "" the path holds an encoded slash
	// "/files/a%2Fb" "/files/a/b" <nil>
}

// A guard finds the rule of a request, and decides by what the token holds.
func ExamplePolicy_Find() {
	policy, err := scopes.NewPolicy("orders", []string{"orders.read"}, nil, nil, []scopes.Rule{
		{Method: "GET", Path: "/orders/{id}", AllOf: []scopes.RuleNeed{{Permission: "orders.read", Resource: "orders/{id}"}}},
		{Access: scopes.AccessPublic, Method: "GET", Path: "/healthz"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	token := mustSet(`{"servicesScopes":[{"serviceDefinitionId":"orders","permissions":[
		{"permissionId":"orders.read","resources":["orders/1"]}]}]}`)
	for _, path := range []string{"/orders/1", "/orders/2", "/orders", "/healthz"} {
		match := policy.Find("GET", mustPath(path))
		decision := match.Decide(token, token.Service("orders"), scopes.Inputs{})
		fmt.Println(path, decision.Reason(), decision.Missing())
	}
	// Output:
	// /orders/1 allowed []
	// /orders/2 resource_missing [{orders orders.read orders/2}]
	// /orders no_rule []
	// /healthz allowed []
}

// A rule with a block asks for two rights. One of them is on a resource that
// the query names.
func ExampleMatch_Decide() {
	rule, err := scopes.ParseRule("Caddyfile:12", "POST", "/orders/{id}/copy")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, line := range [][]string{{"orders.read", "orders/{id}"}, {"orders.write", "orders/{query:to}"}} {
		need, err := scopes.ParseNeed("Caddyfile:14", line...)
		if err != nil {
			fmt.Println(err)
			return
		}
		rule.AllOf = append(rule.AllOf, need)
	}
	policy, err := scopes.NewPolicy("orders", []string{"orders.read", "orders.write"}, nil, nil, []scopes.Rule{rule})
	if err != nil {
		fmt.Println(err)
		return
	}
	token := mustSet(`{"servicesScopes":[{"serviceDefinitionId":"orders","permissions":[
		{"permissionId":"orders.read","resources":["**"]},{"permissionId":"orders.write","resources":["orders/2"]}]}]}`)
	match := policy.Find("POST", mustPath("/orders/1/copy"))
	for _, query := range []string{"to=2", "to=3", "to=2&to=3"} {
		decision := match.Decide(token, token, scopes.Inputs{Query: query})
		fmt.Println(query, decision.Reason(), decision.Missing())
	}
	// Output:
	// to=2 allowed []
	// to=3 resource_missing [{orders orders.write orders/3}]
	// to=2&to=3 variable_rejected []
}

// The token for the upstream can be cut down to this one request.
func ExampleDecision_Narrow() {
	rule, err := scopes.ParseRule("Caddyfile:12", "GET", "/batch", "orders.read", "orders/{query:ids}")
	if err != nil {
		fmt.Println(err)
		return
	}
	if rule.Each, err = scopes.ParseEach("Caddyfile:13", "query:ids", ","); err != nil {
		fmt.Println(err)
		return
	}
	policy, err := scopes.NewPolicy("orders", []string{"orders.read"}, nil, nil, []scopes.Rule{rule})
	if err != nil {
		fmt.Println(err)
		return
	}
	token := mustSet(`{"servicesScopes":[{"serviceDefinitionId":"orders","permissions":[
		{"permissionId":"orders.read","resources":["orders/**"]}]}]}`)
	decision := policy.Find("GET", mustPath("/batch")).Decide(token, token, scopes.Inputs{Query: "ids=1,2"})
	narrowed, err := decision.Narrow()
	fmt.Println(decision.Reason(), narrowed.Entries(), err)
	// Output:
	// allowed [{orders orders.read orders/1} {orders orders.read orders/2}] <nil>
}

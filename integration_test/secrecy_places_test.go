package integration_test

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// everyParameter are the names that the token endpoint reads.
var everyParameter = []string{
	"grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "username", "password",
	"code", "code_verifier", "redirect_uri", "refresh_token", "api_token", "scope", "state", "subject_ip",
	"subject_token", "subject_token_type", "actor_token", "actor_token_type", "target_audience", "audience", "resource",
	"requested_token_type", "orgId", "org_id", "allowed_resource_scope", "servicesPermissionsScopesDto",
	"accessTokenValiditySeconds", "refreshTokenValiditySeconds", "maxGroupsInIdToken", "anything_else",
}

// kinds gives the names of secrets that are put where they do not belong.
func (w *watched) kinds() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(w.secrets)), func(name string) bool { return w.secrets[name] == "" })
}

// walkWrongPlaces puts every kind of secret in every parameter of requests that
// are right otherwise. Where a request uses something up, or is bounded by the
// throttles, it is one kind in each parameter.
func (w *watched) walkWrongPlaces() {
	kinds := w.kinds()
	user, operator := w.secrets["access token"], w.secrets["operator's token"]
	for i, c := range []struct {
		client string
		all    bool // kinds
		params func() params
	}{
		{"web", true, func() params { return params{"grant_type", "client_credentials"} }},
		{"web", true, func() params { return refresh(w.secrets["refresh token"]) }},
		{"agent", true, func() params { return delegate(user) }},
		{"batch", true, func() params {
			return ofSubject("audience_exchange", accessType, user, "target_audience", shopAudience)
		}},
		{"console", true, func() params { return ofSubject("context_switch", accessType, user, "orgId", "beta") }},
		{"console", true, func() params { return w.impersonate(operator) }},
		{"web", false, func() params { return w.redeem(w.code("web")) }},
		{"web", false, func() params { return w.login("alice") }},
		{"", false, func() params { return w.robot(w.assertion(nil)) }},
		{"api", false, func() params { return params{"api_token", w.secrets["API token"]} }},
	} {
		for n, name := range everyParameter {
			some := kinds
			if !c.all {
				some = []string{kinds[(7*i+n)%len(kinds)]}
			}
			for _, kind := range some {
				if got := w.misplace(c.client, c.params(), name, w.secrets[kind]); got.Refresh != "" && c.client == "web" {
					w.secrets["refresh token"] = got.Refresh
				}
			}
		}
	}
	w.misplaceInRights(kinds)
	w.misplaceOutside(kinds)
}

// misplace sends a secret as one parameter, now and then in JSON. What a granted
// answer repeats by its contract, it repeats to the sender.
func (w *watched) misplace(client string, p params, name, secret string) tokens {
	w.t.Helper()
	p = p.with(name, secret)
	r := w.request("auth", client, p)
	if w.peers%4 == 0 {
		authorization := r.Header.Get("Authorization")
		r = w.NewRequest(http.MethodPost, "auth", r.URL.Path, p.json(), "Content-Type: application/json")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
	}
	return w.send(r, "state")
}

// misplaceInRights asks for rights with secrets as their names. An answer lists
// the names that are too much, unless they have the form of a token.
func (w *watched) misplaceInRights(kinds []string) {
	own := params{"grant_type", "client_credentials"}
	for _, kind := range kinds {
		secret := w.secrets[kind]
		asks := []map[string]any{{secret: 1}, {"servicesScopes": secret}}
		if wholeToken.MatchString(secret) {
			asks = append(asks, holds(secret, "orders.read", "orders/1"), holds("shop", secret, "orders/1"), holds("shop", "orders.write", secret),
				holds("shop", "orders.write", "orders/"+secret), holds("shop", "orders.read", "orders/"+secret))
		}
		for _, ask := range asks {
			for _, name := range []string{"allowed_resource_scope", "servicesPermissionsScopesDto"} {
				w.send(w.request("auth", "web", own.with(name, text(w.t, ask))), "allowed_resource_scope")
			}
		}
		w.send(w.request("auth", "web", own.with(secret, "a name")))
	}
}

// misplaceOutside puts secrets in every part of a token request but its body.
func (w *watched) misplaceOutside(kinds []string) {
	const form = "Content-Type: application/x-www-form-urlencoded"
	for _, kind := range kinds {
		secret := w.secrets[kind]
		basic := func(user, password string) string {
			return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
		}
		for _, headers := range [][]string{
			{"Authorization: Bearer " + secret},
			{"Authorization: " + secret},
			{"Authorization: Basic " + secret},
			{basic(url.QueryEscape(secret), secret)},
			{basic(secret, "")},
			{basic("nobody", secret), basic("nobody", secret)},
			{"X-Api-Key: " + secret, "Csp-Auth-Token: " + secret, "Cookie: csp-auth-token=" + secret, "Traceparent: " + secret, "Origin: " + secret, "Referer: " + secret},
		} {
			w.send(w.NewRequest(http.MethodPost, "bareauth", "/oauth2/token", "grant_type=client_credentials", append(headers, form)...))
		}
		for _, path := range []string{
			"/oauth2/token?client_secret=" + url.QueryEscape(secret), "/oauth2/token?" + url.QueryEscape(secret),
			"/oauth2/token/" + url.PathEscape(secret), "/" + url.PathEscape(secret), "/.well-known/scopegate/ready?" + url.QueryEscape(secret),
			"/oauth2/jwks?" + url.QueryEscape(secret), "/csp/gateway/am/api/auth/api-tokens/authorize?api_token=" + url.QueryEscape(secret),
		} {
			w.send(w.NewRequest(http.MethodPost, "bareauth", path, "grant_type=client_credentials", form))
			w.send(w.NewRequest(http.MethodGet, "bareauth", path, ""))
		}
		if strings.Trim(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == "" {
			w.takeRaw("bareauth", secret+" /oauth2/token HTTP/1.1\nHost: x\n\n")
			w.takeRaw("bareauth", "POST /oauth2/token HTTP/1.1\nHost: "+secret+"\nContent-Length: 0\n\n")
		}
	}
}

// takeRaw sends what no client would, and shows the answer.
func (w *watched) takeRaw(site, request string) tokens {
	w.t.Helper()
	return w.take(Exchange(w.t, w.Addr(site), request))
}

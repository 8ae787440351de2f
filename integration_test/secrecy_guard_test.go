package integration_test

import (
	"net/http"
	"net/url"
)

// walkGuard goes through guards: allowed, refused, with the upstream away, and
// with credentials in every place of a request.
func (w *watched) walkGuard() {
	user := w.granted("web", w.login("alice")).Access
	delegated := w.granted("agent", delegate(user)).Access
	get := func(site, path string, headers ...string) *http.Request {
		return w.NewRequest(http.MethodGet, site, path, "", headers...)
	}
	for _, token := range []string{user, delegated} {
		for _, c := range []struct {
			reason string
			r      *http.Request
		}{
			{"", get("shop", "/orders/1", bearer(token))},
			{"", get("shop", "/me", bearer(token), "Cookie: csp-auth-token="+token)},
			{"", get("csp", "/orders/1", "csp-auth-token: "+token)},
			{"502", get("down", "/orders/1", bearer(token))},
			{"502", get("down", "/orders/1", bearer(token), "Cookie: csp-auth-token="+token)},
			{"permission_missing", w.NewRequest(http.MethodPut, "shop", "/orders/1", "", bearer(token))},
			{"no_rule", get("shop", "/nowhere", bearer(token))},
			{"token_ambiguous", get("csp", "/orders/1?access_token="+token)},
			{"token_leak", get("bareshop", "/me?copy="+token, bearer(token))},
			{"token_leak", get("bareshop", "/me", bearer(token), "X-Copy: "+token)},
			{"path_ambiguous", get("bareshop", "/orders/"+token+"/../1", bearer(token))},
		} {
			w.refusedRequest(c.reason, c.r)
		}
	}
	w.forwarded()
	for _, kind := range w.kinds() {
		secret := w.secrets[kind]
		query := url.QueryEscape(secret)
		for _, r := range []*http.Request{
			get("shop", "/orders/1", bearer(secret)),
			get("shop", "/orders/1", "Authorization: "+secret),
			get("shop", "/orders/1", "Cookie: csp-auth-token="+secret),
			get("csp", "/orders/1", "csp-auth-token: "+secret),
			get("csp", "/orders/1?access_token="+query),
			get("bareshop", "/orders/1?x="+query),
			get("bareshop", "/nowhere?"+query, bearer(user)),
			get("bareshop", "/orders/1", "X-Api-Key: "+secret, "Csp-Auth-Token: "+secret, "Referer: "+secret),
		} {
			w.send(r)
		}
		if isToken := wholeToken.MatchString(secret); isToken {
			// A guard knows its issuer's tokens by their form, wherever they are.
			for _, r := range []*http.Request{
				get("bareshop", "/orders/"+secret), get("bareshop", "/nowhere/"+secret+"/x", bearer(user)),
				w.NewRequest(http.MethodPut, "bareshop", "/orders/"+secret, "", bearer(user)),
			} {
				w.send(r)
			}
			w.takeRaw("bareshop", secret+" /orders/1 HTTP/1.1\nHost: x\n\n")
			w.takeRaw("bareshop", "GET /orders/1 HTTP/1.1\nHost: "+secret+"\n\n")
		}
	}
}

// forwarded hides the tokens that were made for the upstream, which is the only
// one to see them.
func (w *watched) forwarded() {
	for _, request := range w.upstream.Requests() {
		for _, value := range request.Values("Authorization") {
			w.hideHere("a forwarded token", value[len("Bearer "):])
		}
	}
}

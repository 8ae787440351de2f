package integration_test

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"
)

const (
	idType        = "urn:ietf:params:oauth:token-type:id_token"
	accountType   = "urn:vmware:params:oauth:token-type:acct"
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// makeCodes makes the codes of the whole walk. They were made an hour later than
// now, so that they live long enough, or a minute ago, so that they have expired.
func (w *watched) makeCodes(consentAt map[string]any) map[string][]string {
	w.t.Helper()
	w.secrets["verifier"], w.secrets["plain verifier"] = w.hide("a verifier", randomText()), w.hide("a plain verifier", randomText())
	sum := sha256.Sum256([]byte(w.secrets["verifier"]))
	var requests []map[string]any
	var of []string
	for _, c := range []struct {
		of, client, user, method, challenge string
		age, count                          int
	}{
		{"web", "web", "alice", "S256", b64(sum[:]), -3600, 90},
		{"phone", "phone", "alice", "S256", b64(sum[:]), -3600, 5},
		{"legacy", "legacy", "alice", "plain", w.secrets["plain verifier"], -3600, 5},
		{"legacy without PKCE", "legacy", "alice", "", "", -3600, 2},
		{"web, of nobody", "web", "nobody", "S256", b64(sum[:]), -3600, 1},
		{"web, expired", "web", "alice", "S256", b64(sum[:]), 61, 1},
	} {
		for range c.count {
			requests = append(requests, map[string]any{
				"id": rand.Text(), "subject": "example.com:" + c.user, "client": c.client, "org": "acme", "session": rand.Text(),
				"scope":       map[string]string{"web": "openid profile orders", "phone": "openid"}[c.client],
				"set":         text(w.t, holds("shop", "orders.read", "orders/**")),
				"RedirectURI": secrecyCallback, "Challenge": c.challenge, "Method": c.method, "Nonce": rand.Text(), "State": "the-state", "Age": c.age,
			})
			of = append(of, c.of)
		}
	}
	request := maps.Clone(consentAt)
	request["Issuer"], request["StateKey"], request["Codes"] = secrecyIssuerURL, w.secrets["state key"], requests
	codes := map[string][]string{}
	for i, code := range consent(w.t, request) {
		codes[of[i]] = append(codes[of[i]], w.hide("a code", code))
	}
	return codes
}

// redeem are the parameters with which a code works.
func (w *watched) redeem(code string) params {
	return params{"grant_type", "authorization_code", "code", code, "redirect_uri", secrecyCallback, "code_verifier", w.secrets["verifier"]}
}

func refresh(token string) params {
	return params{"grant_type", "refresh_token", "refresh_token", token}
}

func (w *watched) login(user string) params {
	return params{"grant_type", "password", "username", user, "password", w.secrets["password of "+user]}
}

func (w *watched) robot(assertion string) params {
	return params{"grant_type", "client_credentials", "client_assertion_type", assertionType, "client_assertion", assertion}
}

func ofSubject(grant, kind, token string, more ...string) params {
	return append(params{"grant_type", grant, "subject_token", token, "subject_token_type", kind}, more...)
}

func delegate(token string) params {
	return ofSubject("client_delegate", accessType, token, "audience", shopAudience)
}

func (w *watched) impersonate(operator string) params {
	return ofSubject("impersonate_user", accountType, "alice@example.com", "actor_token", operator, "actor_token_type", accessType)
}

// walkGrants uses every grant as it is meant, and keeps what it gives.
func (w *watched) walkGrants() {
	first := w.granted("web", w.redeem(w.code("web")).with("state", "the-state"))
	w.granted("", w.redeem(w.code("phone")).with("client_id", "phone"))
	w.granted("legacy", w.redeem(w.code("legacy")).with("code_verifier", w.secrets["plain verifier"]))
	w.granted("legacy", w.redeem(w.code("legacy without PKCE")).with("code_verifier", ""))
	second := w.granted("web", refresh(first.Refresh))
	if repeat := w.granted("web", refresh(first.Refresh)); repeat.Refresh != second.Refresh {
		w.t.Error("a repeat got another successor")
	}
	third := w.granted("web", refresh(second.Refresh).with("scope", "openid"))
	own := params{"grant_type", "client_credentials"}
	w.granted("web", own)
	w.granted("", own.with("client_id", "web", "client_secret", w.secrets["secret of web"]))
	w.granted("", w.robot(w.assertion(nil)))
	user, operator := w.granted("web", w.login("alice").with("subject_ip", "192.0.2.7", "maxGroupsInIdToken", "5")), w.granted("console", w.login("olga"))
	w.granted("agent", delegate(user.Access))
	w.granted("batch", ofSubject("audience_exchange", accessType, user.Access, "target_audience", shopAudience))
	w.granted("batch", ofSubject("audience_exchange", idType, user.ID, "target_audience", shopAudience))
	w.granted("batch", ofSubject(rfcExchange, accessType, user.Access, "audience", shopAudience))
	w.granted("console", ofSubject("context_switch", accessType, user.Access, "orgId", "beta"))
	w.granted("console", w.impersonate(operator.Access))
	w.granted("api", params{"api_token", w.secrets["API token"]})
	w.granted("api", params{"refresh_token", w.secrets["API token"]})
	r := w.request("auth", "web", nil)
	r = w.NewRequest(http.MethodPost, "auth", r.URL.Path, w.login("alice").json(), "Content-Type: application/json", "Authorization: "+r.Header.Get("Authorization"))
	if got := w.send(r); got.Access == "" {
		w.t.Errorf("a JSON body: refused for %s", got.Reason)
	}
	w.secrets["access token"], w.secrets["refresh token"], w.secrets["id token"] = user.Access, user.Refresh, user.ID
	w.secrets["operator's token"], w.secrets["old refresh token"], w.secrets["revoked token"] = operator.Access, first.Refresh, first.Access
	w.secrets["refresh token of a family that ends"] = third.Refresh
	spent := w.code("web")
	w.granted("web", w.redeem(spent))
	w.spent = time.Now()
	w.refused("code_used", "web", w.redeem(spent))
	w.secrets["used code"], w.secrets["code"] = spent, w.code("web")
	w.secrets["expired token"] = w.forge(map[string]any{"exp": time.Now().Unix() - 60, "iat": time.Now().Unix() - 120, "nbf": time.Now().Unix() - 120}, nil)
	w.secrets["assertion"] = w.assertion(nil)
}

// walkRefusals makes the mistakes of every grant.
func (w *watched) walkRefusals() {
	wrong := w.hide("something wrong", randomText())
	forged := func(token string) string { // Its last character but one is another one.
		at := len(token) - 2
		return w.hide("a token with another signature", token[:at]+string("AB"[strings.IndexByte("A", token[at])+1])+token[at+1:])
	}
	own, user := params{"grant_type", "client_credentials"}, w.secrets["access token"]
	narrowed := w.granted("web", w.login("alice").with("scope", "openid", "allowed_resource_scope", text(w.t, holds("shop", "orders.read", "orders/7")))).Access
	clients := w.granted("web", own).Access
	for _, c := range []struct {
		reason, client string
		params
	}{
		{"client_authentication", "", own.with("client_id", "web", "client_secret", wrong)},
		{"client_authentication", "", own.with("client_id", "web", "client_secret", w.secrets["secret of agent"])},
		{"client_authentication", "", own.with("client_id", "nobody", "client_secret", w.secrets["secret of web"])},
		{"client_ambiguous", "web", own.with("client_secret", wrong)},
		{"client_ambiguous", "web", w.robot(w.assertion(nil))},
		{"client_authentication", "", w.robot(forged(w.assertion(nil)))},
		{"client_authentication", "", w.robot(w.assertion(map[string]any{"exp": time.Now().Unix() - 90}))},
		{"client_authentication", "", w.robot(w.assertion(map[string]any{"iss": w.secrets["secret of web"], "sub": w.secrets["secret of web"]}))},
		{"client_authentication", "", w.robot(w.assertion(map[string]any{"aud": w.secrets["code"], "jti": w.secrets["password of alice"]}))},
		{"client_authentication", "", w.robot(user)},
		{"code_invalid", "web", w.redeem(forged(w.secrets["code"]))},
		{"code_invalid", "web", w.redeem(w.code("phone"))},
		{"code_invalid", "web", w.redeem(w.code("web, expired"))},
		{"code_invalid", "web", w.redeem(w.secrets["refresh token"])},
		{"code_verifier_wrong", "web", w.redeem(w.secrets["code"]).with("code_verifier", wrong)},
		{"code_verifier_wrong", "legacy", w.redeem(w.code("legacy"))},
		{"redirect_uri_mismatch", "web", w.redeem(w.secrets["code"]).with("redirect_uri", secrecyCallback+"?"+wrong)},
		{"state_mismatch", "web", w.redeem(w.secrets["code"]).with("state", wrong)},
		{"user_gone", "web", w.redeem(w.code("web, of nobody"))},
		{"refresh_token_invalid", "web", refresh(forged(w.secrets["refresh token"]))},
		{"refresh_token_invalid", "console", refresh(w.secrets["refresh token"])},
		{"refresh_token_invalid", "web", refresh(w.secrets["code"])},
		{"refresh_token_reused", "web", refresh(w.secrets["old refresh token"])},
		{"refresh_token_invalid", "web", refresh(w.secrets["refresh token of a family that ends"])},
		{"credentials_wrong", "web", w.login("alice").with("password", wrong)},
		{"credentials_wrong", "web", w.login("alice").with("password", w.secrets["password hash"])},
		{"credentials_wrong", "web", w.login("alice").with("username", w.secrets["password of alice"])},
		{"org_not_allowed", "web", w.login("alice").with("orgId", wrong)},
		{"token_revoked", "batch", ofSubject("audience_exchange", accessType, w.secrets["revoked token"], "target_audience", shopAudience)},
		{"token_expired", "agent", delegate(w.secrets["expired token"])},
		{"token_signature", "agent", delegate(forged(user))},
		{"token_malformed", "agent", delegate(w.secrets["refresh token"])},
		{"token_type", "agent", delegate(w.secrets["id token"])},
		{"subject_kind", "agent", delegate(clients)},
		{"target_not_allowed", "batch", ofSubject("audience_exchange", accessType, user, "target_audience", wrong)},
		{"token_not_first", "console", ofSubject("context_switch", accessType, narrowed, "orgId", "beta")},
		{"token_issuer", "batch", ofSubject("audience_exchange", accessType, w.forge(map[string]any{"iss": w.secrets["code"], "sub": w.secrets["refresh token"]}, nil), "target_audience", shopAudience)},
		{"token_signature", "batch", ofSubject("audience_exchange", accessType, w.forge(nil, map[string]any{"kid": w.secrets["API token"]}), "target_audience", shopAudience)},
		{"exchange_refused", "batch", ofSubject("audience_exchange", accessType, w.forge(map[string]any{"client_id": "gone", "azp": "gone"}, nil), "target_audience", shopAudience)},
		{"actor_not_allowed", "console", w.impersonate(user)},
		{"impersonation_refused", "console", w.impersonate(w.secrets["operator's token"]).with("subject_token", w.secrets["password of alice"])},
		{"api_token_invalid", "api", params{"api_token", forged(w.secrets["API token"])}},
		{"api_token_invalid", "api", params{"api_token", w.secrets["expired API token"]}},
		{"api_token_invalid", "api", params{"api_token", w.secrets["refresh token"]}},
		{"resource_scope_exceeded", "web", own.with("allowed_resource_scope", text(w.t, holds("shop", "orders.write", "orders/1")))},
		{"resource_scope_malformed", "web", own.with("allowed_resource_scope", `{"`+wrong+`":1}`)},
		{"scope_exceeded", "web", own.with("scope", wrong)},
		{"grant_unknown", "web", params{"grant_type", wrong}},
		{"grant_not_allowed", "agent", own},
	} {
		w.refused(c.reason, c.client, c.params)
	}
	w.malformed()
	// Whoever guesses is slowed down, and learns nothing by that either.
	for try := 1; w.refusals["too_many_attempts"] == 0; try++ {
		if try > 100 {
			w.t.Fatal("nobody was slowed down")
		}
		r := w.request("auth", "", own.with("client_id", "robot", "client_secret", wrong))
		r.Header.Set("X-Forwarded-For", "192.0.2.1")
		w.take(w.Do(r))
	}
}

// malformed sends bodies with secrets that are no good form or JSON.
func (w *watched) malformed() {
	secret, good := w.secrets["password of alice"], w.login("alice").form()
	for _, c := range []struct{ reason, kind, body string }{
		{"body_malformed", "application/x-www-form-urlencoded", good + "&x=%zz"},
		{"parameter_repeated", "application/x-www-form-urlencoded", good + "&" + good},
		{"body_too_large", "application/x-www-form-urlencoded", good + "&x=" + strings.Repeat("x", 64<<10)},
		{"parameter_misspelt", "application/x-www-form-urlencoded", good + "&subjectToken=" + w.secrets["access token"]},
		{"parameter_misplaced", "application/x-www-form-urlencoded", good + "&subject_token=" + w.secrets["access token"]},
		{"parameter_empty", "application/x-www-form-urlencoded", good + "&allowed_resource_scope="},
		{"body_malformed", "application/json", fmt.Sprintf(`{%q:%q,%q:1}`, secret, secret, secret)},
		{"body_malformed", "application/json", fmt.Sprintf(`{"password":%q`, secret)},
		{"body_malformed", "application/json", good},
		{"parameter_type", "application/json", fmt.Sprintf(`{"password":[%q]}`, secret)},
		{"content_type", "multipart/form-data; boundary=x", good},
		{"content_type", "text/plain", good},
	} {
		r := w.request("auth", "web", nil)
		w.refusedRequest(c.reason, w.NewRequest(http.MethodPost, "auth", r.URL.Path, c.body, "Content-Type: "+c.kind, "Authorization: "+r.Header.Get("Authorization")))
	}
}

// walkAway asks for what needs the store while it is away.
func (w *watched) walkAway() {
	w.refused("store_unavailable", "web", w.redeem(w.code("web")))
	w.refused("store_unavailable", "web", refresh(w.secrets["refresh token"]))
	w.refused("store_unavailable", "web", w.login("alice"))
	w.refused("store_unavailable", "", w.robot(w.assertion(nil)))
	w.refused("store_unavailable", "api", params{"api_token", w.secrets["API token"]})
}

// walkLate uses a code again when it is too late for a repeat.
func (w *watched) walkLate() {
	time.Sleep(time.Until(w.spent.Add(5 * time.Second)))
	for end := time.Now().Add(waitTimeout); !strings.Contains(w.Get("auth", "/.well-known/scopegate/ready").Body, `"store":"ok"`); {
		if time.Now().After(end) {
			w.t.Fatal("the store did not come back")
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.refused("code_reused", "web", w.redeem(w.secrets["used code"]))
}

package integration_test

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	accessType  = "urn:ietf:params:oauth:token-type:access_token"
	vmwareGrant = "urn:vmware:params:oauth:grant-type:"
	rfcExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// An unmodified client of golang.org/x/oauth2 gets every grant, under each of
// its names, with both ways to authenticate, and the guard takes the tokens.
func TestTokenThirdPartyClient(t *testing.T) {
	t.Parallel()
	g := startGuarded(t, oneGuard)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, g.Client)
	subject := g.token("web", "grant_type=client_credentials")
	user := g.token("web", "grant_type=password", "username=alice", "password="+password)
	exchange := func(name, subject, target string) url.Values {
		return url.Values{"grant_type": {name}, "subject_token": {subject}, "subject_token_type": {accessType}, target: {shopAudience}}
	}
	login := func(name string) url.Values {
		return url.Values{"grant_type": {name}, "username": {"alice"}, "password": {password}}
	}
	cases := []struct {
		name, client string
		params       url.Values
		sub          string
	}{
		{"client_credentials", "web", nil, "web"},
		{"client_credentials, VMware", "web", url.Values{"grant_type": {vmwareGrant + "client-credentials"}}, "web"},
		{"password", "web", login("password"), "example.com:alice"},
		{"password, VMware", "web", login(vmwareGrant + "password"), "example.com:alice"},
		{"audience_exchange", "batch", exchange("audience_exchange", subject, "target_audience"), "web"},
		{"audience_exchange of a user", "batch", exchange("audience_exchange", user, "target_audience"), "example.com:alice"},
		{"audience_exchange, VMware", "batch", exchange(vmwareGrant+"audience-exchange", subject, "target_audience"), "web"},
		{"token-exchange, audience", "batch", exchange(rfcExchange, subject, "audience"), "web"},
		{"token-exchange, resource", "batch", exchange(rfcExchange, user, "resource"), "example.com:alice"},
	}
	for _, c := range cases {
		for style, authStyle := range map[string]oauth2.AuthStyle{
			"header": oauth2.AuthStyleInHeader, "params": oauth2.AuthStyleInParams, "detected": oauth2.AuthStyleAutoDetect,
		} {
			t.Run(c.name+", "+style, func(t *testing.T) {
				config := clientcredentials.Config{
					ClientID: c.client, ClientSecret: g.secret(c.client), TokenURL: g.URL("auth", "/oauth2/token"),
					EndpointParams: c.params, AuthStyle: authStyle,
				}
				token, err := config.Token(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if token.Type() != "Bearer" || token.Expiry.IsZero() || !token.Valid() {
					t.Errorf("got %s that expires at %v", token.Type(), token.Expiry)
				}
				issued, _ := token.Extra("issued_token_type").(string)
				if exchanged := c.client == "batch"; exchanged != (issued == accessType) {
					t.Errorf("got issued_token_type %q", issued)
				}
				if claims := claimsOf(t, token.AccessToken); claims["sub"] != c.sub || claims["aud"] == upstreamAudience {
					t.Errorf("got claims %v, want sub %s", claims, c.sub)
				}
				claims := exchanged(t, g.allowed(t, "shop", raw("GET", "/orders/1", bearer(token.AccessToken))))
				if claims["sub"] != c.sub {
					t.Errorf("the upstream got sub %v, want %s", claims["sub"], c.sub)
				}
			})
		}
	}

	refusals := []struct {
		name, client, secret string
		params               url.Values
		status               int
		code, reason         string
	}{
		{"wrong secret", "web", "wrong-secret-wrong-secret", nil, 401, "invalid_client", "client_authentication"},
		{"unknown client", "nobody", "wrong-secret-wrong-secret", nil, 401, "invalid_client", "client_authentication"},
		{"grant not listed", "teller", "", login("password"), 400, "unauthorized_client", "grant_not_allowed"},
		{"unknown grant", "web", "", url.Values{"grant_type": {"client_exchange"}}, 400, "unsupported_grant_type", "grant_unknown"},
		{"wrong password", "web", "", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"wrong-password"}}, 400, "invalid_grant", "credentials_wrong"},
		{"upstream audience", "batch", "", url.Values{"grant_type": {rfcExchange}, "subject_token": {subject}, "subject_token_type": {accessType}, "audience": {upstreamAudience}}, 400, "invalid_target", "target_not_allowed"},
		{"no allow line", "both", "", exchange(rfcExchange, subject, "audience"), 400, "unauthorized_client", "exchange_refused"},
		{"foreign subject", "batch", "", exchange(rfcExchange, newTestKey(t).sign(t, text(t, g.key.header(nil)), text(t, g.claims(nil))), "audience"), 400, "invalid_request", "token_signature"},
		{"the guard's own client", "guard:shop", "", nil, 401, "invalid_client", "client_authentication"},
	}
	for _, c := range refusals {
		t.Run("refused: "+c.name, func(t *testing.T) {
			if c.secret == "" {
				c.secret = g.secret(c.client)
			}
			mark := g.Mark()
			config := clientcredentials.Config{
				ClientID: c.client, ClientSecret: c.secret, TokenURL: g.URL("auth", "/oauth2/token"),
				EndpointParams: c.params, AuthStyle: oauth2.AuthStyleInHeader,
			}
			_, err := config.Token(ctx)
			var failed *oauth2.RetrieveError
			if !errors.As(err, &failed) {
				t.Fatalf("got %v, want an error of the token endpoint", err)
			}
			if failed.ErrorCode != c.code || failed.Response.StatusCode != c.status {
				t.Errorf("got %d %s, want %d %s: %s", failed.Response.StatusCode, failed.ErrorCode, c.status, c.code, failed.Body)
			}
			record := g.WaitLog(mark, func(l Line) bool { return l.Msg() == "decision" && l.String("endpoint") == "token" })
			if record.String("reason") != c.reason || record.Level() != "warn" || record.String("decision_id") != failed.Response.Header.Get("Scopegate-Decision") {
				t.Errorf("got audit record %s, want %s", record.Raw, c.reason)
			}
		})
	}
}

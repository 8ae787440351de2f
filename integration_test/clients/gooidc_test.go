package clients

import (
	"context"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// go-oidc insists on: an `issuer` in the metadata that is byte for byte the URL
// it was given; the algorithms of id tokens there; `aud` with its client id. It
// does not look at `nonce`: the program does. An http issuer is as good to it,
// and userinfo is asked with GET.
func TestGoOIDC(t *testing.T) {
	t.Parallel()
	logModule(t, "github.com/coreos/go-oidc/v3")
	h := newHouse(t)
	ctx, issuer := t.Context(), h.issuer

	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{
		ClientID:     "web",
		ClientSecret: clientSecret,
		RedirectURL:  "https://web.example.com/callback",
		Scopes:       []string{oidc.ScopeOpenID, "profile", "email"},
		Endpoint:     provider.Endpoint(),
	}

	pkce, nonce, state := oauth2.GenerateVerifier(), "n-0S6_WzA2Mj", "af0ifjsldkj"
	back := browse(t, config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(pkce)))
	token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(pkce))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: "web"}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}

	if idToken.Nonce != nonce || idToken.Subject != "example.com:alice" {
		t.Errorf("got nonce %q and sub %q", idToken.Nonce, idToken.Subject)
	}
	var claims struct {
		GivenName string `json:"given_name"`
		Email     string `json:"email"`
	}
	if err := idToken.Claims(&claims); err != nil || claims.GivenName != "Alice" || claims.Email != "alice@example.com" {
		t.Errorf("got claims %+v, %v", claims, err)
	}
	h.reads(config.Client(ctx, token), "example.com:alice")
	if _, err := provider.Verifier(&oidc.Config{ClientID: "phone"}).Verify(ctx, raw); err == nil {
		t.Error("the id token is good for another client")
	}
	if _, err := provider.Verifier(&oidc.Config{ClientID: "web"}).Verify(ctx, token.AccessToken); err == nil {
		t.Error("the access token is an id token")
	}

	// An id token comes with each refresh, so that it can be used for as long.
	token.Expiry = token.Expiry.AddDate(-1, 0, 0)
	fresh, err := config.TokenSource(ctx, token).Token()
	if err != nil {
		t.Fatal(err)
	}
	raw, _ = fresh.Extra("id_token").(string)
	if again, err := provider.Verifier(&oidc.Config{ClientID: "web"}).Verify(ctx, raw); err != nil || again.Subject != idToken.Subject {
		t.Errorf("the id token of a refresh: %v", err)
	}
	h.userInfo(ctx, provider, fresh)
}

func (h *house) userInfo(ctx context.Context, provider *oidc.Provider, token *oauth2.Token) {
	h.t.Helper()
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		h.t.Fatal(err)
	}
	if info.Subject != "example.com:alice" || info.Email != "alice@example.com" || !info.EmailVerified {
		h.t.Errorf("userinfo: got %+v", info)
	}
}

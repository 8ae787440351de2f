package clients

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// golang.org/x/oauth2 insists on: `access_token` and a JSON `expires_in`. It
// does not know how a server wants the client's secret, so it tries the header
// first, form-encoded, and after any error the body: a wrong secret costs two
// failures. With AuthStyleAutoDetect left as it is, it remembers what worked.
func TestXOAuth2ClientCredentials(t *testing.T) {
	t.Parallel()
	logModule(t, "golang.org/x/oauth2")
	h := newHouse(t)
	ctx, issuer := t.Context(), h.issuer

	config := clientcredentials.Config{
		ClientID:     "nightly",
		ClientSecret: clientSecret,
		TokenURL:     issuer + "/oauth2/token",
	}
	client := config.Client(ctx) // Adds the token, and gets a new one in time.

	h.reads(client, "nightly")
	h.reads(client, "nightly")
	if got := len(h.records()); got != 1 {
		t.Errorf("got %d token requests for two uses, want 1: the first way to authenticate is right", got)
	}

	wrong := clientcredentials.Config{ClientID: "nightly", ClientSecret: "not the secret of this client", TokenURL: issuer + "/oauth2/token"}
	_, err := wrong.Token(ctx)
	var failed *oauth2.RetrieveError
	if !errors.As(err, &failed) || failed.ErrorCode != "invalid_client" || failed.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong secret: got %v, want 401 invalid_client", err)
	}
	if got := len(h.records()); got != 3 {
		t.Errorf("got %d token requests after a wrong secret, want 2 more than 1", got)
	}
	for style, name := range map[oauth2.AuthStyle]string{oauth2.AuthStyleInHeader: "header", oauth2.AuthStyleInParams: "body"} {
		config := clientcredentials.Config{ClientID: "nightly", ClientSecret: clientSecret, TokenURL: issuer + "/oauth2/token", AuthStyle: style}
		if _, err := config.Token(ctx); err != nil {
			t.Errorf("the secret in the %s: %v", name, err)
		}
	}
}

// The code flow with PKCE, and the refresh behind the back of the program.
func TestXOAuth2Code(t *testing.T) {
	t.Parallel()
	logModule(t, "golang.org/x/oauth2")
	h := newHouse(t)
	ctx, issuer := t.Context(), h.issuer

	config := oauth2.Config{
		ClientID:     "web",
		ClientSecret: clientSecret,
		RedirectURL:  "https://web.example.com/callback",
		Scopes:       []string{"openid", "profile"},
		Endpoint: oauth2.Endpoint{
			AuthURL:  issuer + "/oauth2/authorize",
			TokenURL: issuer + "/oauth2/token",
		},
	}
	verifier, state := oauth2.GenerateVerifier(), rand.Text()
	login := config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))
	back := browse(t, login) // The user's browser goes there, and comes back.
	if back.Get("state") != state {
		t.Errorf("got state %q, want %q", back.Get("state"), state)
	}
	token, err := config.Exchange(ctx, back.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}

	if token.RefreshToken == "" || token.Extra("id_token") == nil {
		t.Fatal("got no refresh token or no id token")
	}
	h.reads(config.Client(ctx, token), "example.com:alice")
	old := *token
	token.Expiry = token.Expiry.AddDate(-1, 0, 0)
	fresh, err := config.TokenSource(ctx, token).Token()
	if err != nil {
		t.Fatal(err)
	}
	if fresh.RefreshToken == old.RefreshToken || fresh.AccessToken == old.AccessToken {
		t.Error("the refresh gave the old tokens")
	}
	h.reads(oauth2.NewClient(context.WithoutCancel(ctx), oauth2.StaticTokenSource(fresh)), "example.com:alice")
}

// reads gets an order through the guard, and looks at the token with which it
// reached the upstream.
func (h *house) reads(client *http.Client, subject string) {
	h.t.Helper()
	answer, err := client.Get(h.shop + "/orders/7")
	if err != nil {
		h.t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		h.t.Fatalf("the guard: got %s", answer.Status)
	}
	seen := h.upstream.received()
	claims := claimsOf(h.t, seen[len(seen)-1].bearer())
	if claims["sub"] != subject || claims["aud"] != upstreamAud+"shop" {
		h.t.Errorf("the upstream got sub %v and aud %v, want %s for the upstream of shop", claims["sub"], claims["aud"], subject)
	}
}

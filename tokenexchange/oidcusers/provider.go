// Package oidcusers logs people in at other OpenID providers: it is the client of
// an authorization code flow there (OpenID Connect Core section 3.1). It is the
// only importer of go-oidc and of x/oauth2.
//
// A [Provider] is a tokenexchange.LoginProvider. Begin gives the URL that a browser
// is sent to, with state, nonce and PKCE; Finish exchanges the code that the browser
// comes back with, and verifies the id token. What a provider says in between goes
// three ways: its metadata and its keys are read when they are first needed, and
// kept a while (remote.go); every answer is bounded, and JSON that can mean one
// thing (transport.go); an id token is judged in one place (idtoken.go).
//
// Nothing is remembered of a login: state, nonce and verifier are the caller's to
// keep, and to use up before Finish. No token of the provider is kept either.
//
// It promises that an Identity is what this provider signed, for this client, for
// the login that the nonce belongs to. What that one may do here is not its concern.
package oidcusers

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/scopegate/scopegate/tokenexchange"
)

// finishTimeout is how long all requests of one login may take together. A single
// one may take requestTimeout.
const (
	finishTimeout  = 12 * time.Second
	requestTimeout = 5 * time.Second
)

// Provider is one OpenID provider. It is safe for concurrent use.
type Provider struct {
	settings tokenexchange.ProviderSettings
	client   *http.Client
	now      func() time.Time
	metadata *remote[metadata]
	keys     *remote[keySet]
}

// New makes a provider of its settings. It asks nobody anything: that is for the
// first login. A nil now is time.Now.
func New(settings tokenexchange.ProviderSettings, now func() time.Time) *Provider {
	if now == nil {
		now = time.Now
	}
	p := &Provider{settings: settings, client: newClient(settings), now: now}
	p.metadata = newRemote(p.fetchMetadata, now)
	p.keys = newRemote(p.fetchKeys, now)
	return p
}

// Begin returns the URL of the provider's authorization endpoint for this login.
func (p *Provider) Begin(ctx context.Context, d tokenexchange.Departure) (string, error) {
	m, err := p.metadata.get(ctx, nil)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(d.Nonce), oauth2.S256ChallengeOption(d.Verifier)}
	maxAge := d.MaxAge
	if d.Fresh {
		// A provider has to say when the person logged in only if max_age was asked
		// for, and without that nobody can tell a new login from an old one.
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
		maxAge = new(time.Duration)
	}
	if maxAge != nil {
		options = append(options, oauth2.SetAuthURLParam("max_age", strconv.Itoa(int(maxAge.Seconds()))))
	}
	for name, value := range map[string]string{"login_hint": d.LoginHint, "ui_locales": d.Locales} {
		if value != "" {
			options = append(options, oauth2.SetAuthURLParam(name, value))
		}
	}
	return p.oauth(m).AuthCodeURL(d.State, options...), nil
}

// Finish makes an identity of what a browser came back with.
func (p *Provider) Finish(ctx context.Context, a tokenexchange.Arrival) (tokenexchange.Identity, error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), finishTimeout)
	defer cancel()
	m, err := p.metadata.get(ctx, nil)
	if err != nil {
		return tokenexchange.Identity{}, err
	}
	// The issuer comes first: the answer of another provider, an error too, was
	// meant for another login (RFC 9207, RFC 9700 section 4.4).
	switch {
	case a.Issuer != nil && *a.Issuer != p.settings.Issuer:
		return tokenexchange.Identity{}, wrong("the parameter iss names another issuer")
	case a.Issuer == nil && m.sendsIssuer:
		return tokenexchange.Identity{}, wrong("the parameter iss is missing, which this provider says that it sends")
	case a.Error != "":
		return tokenexchange.Identity{}, denied(a.Error)
	case a.Code == "" || a.Nonce == "" || a.Verifier == "":
		return tokenexchange.Identity{}, wrong("the parameter code is missing")
	}
	token, err := p.oauth(m).Exchange(ctx, a.Code, oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return tokenexchange.Identity{}, exchangeFault(err)
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return tokenexchange.Identity{}, wrong("the answer of the token endpoint has no id token")
	}
	id, err := p.verify(ctx, m, raw, token.AccessToken)
	if err != nil {
		return tokenexchange.Identity{}, err
	}
	if subtle.ConstantTimeCompare([]byte(id.nonce), []byte(a.Nonce)) != 1 {
		return tokenexchange.Identity{}, wrong("the nonce of the id token is not that of this login")
	}
	if err := p.complete(ctx, m, &id, token.AccessToken); err != nil {
		return tokenexchange.Identity{}, err
	}
	return id.identity(), nil
}

// oauth is the client of this provider. The way to authenticate is the one that
// the provider names, never found out by trying, which would use the code up.
func (p *Provider) oauth(m metadata) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.settings.ClientID, ClientSecret: p.settings.ClientSecret.Reveal(),
		Endpoint:    oauth2.Endpoint{AuthURL: m.authorization, TokenURL: m.token, AuthStyle: m.authStyle},
		RedirectURL: p.settings.RedirectURI,
		Scopes:      append([]string{oidc.ScopeOpenID}, p.settings.Scope...),
	}
}

// exchangeFault tells a code that is not good from a provider that is not. The text
// of the library's error holds what the provider sent, which can hold anything.
func exchangeFault(err error) error {
	var answered *oauth2.RetrieveError
	switch {
	case !errors.As(err, &answered):
		var shown *answerError
		if errors.As(err, &shown) {
			return unavailable("token endpoint: %w", shown)
		}
		return unavailable("token endpoint: no answer, or none that can be read")
	case answered.ErrorCode == "invalid_grant":
		return wrong("the provider refused the code: invalid_grant")
	}
	status := 0
	if answered.Response != nil {
		status = answered.Response.StatusCode
	}
	return unavailable("token endpoint: status %d, error %s", status, known(answered.ErrorCode))
}

// errorCodes are those of RFC 6749 section 4.1.2.1 and 5.2 and of OpenID Connect
// Core section 3.1.2.6, which may stand in a log.
var errorCodes = []string{
	"access_denied", "invalid_request", "unauthorized_client", "unsupported_response_type", "invalid_scope", "server_error",
	"temporarily_unavailable", "interaction_required", "login_required", "account_selection_required", "consent_required",
	"invalid_request_uri", "invalid_request_object", "request_not_supported", "request_uri_not_supported", "registration_not_supported",
	"invalid_client", "invalid_grant", "unsupported_grant_type",
}

// known is an error code that may be shown; what is none may be anything.
func known(code string) string {
	if slices.Contains(errorCodes, code) {
		return code
	}
	return "of its own"
}

// denied is the answer to an error that the browser came back with.
func denied(code string) error {
	switch code = known(code); code {
	case "server_error", "temporarily_unavailable":
		return unavailable("authorization endpoint: %s", code)
	}
	return &tokenexchange.LoginDenied{Code: code}
}

func unavailable(format string, args ...any) error {
	return fmt.Errorf("%w: %w", tokenexchange.ErrProviderUnavailable, fmt.Errorf(format, args...))
}

func wrong(format string, args ...any) error {
	return fmt.Errorf("%w: %w", tokenexchange.ErrProviderAnswer, fmt.Errorf(format, args...))
}

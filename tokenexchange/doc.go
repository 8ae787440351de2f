// Package tokenexchange is an OAuth 2 token endpoint in the dialect of the
// VMware Cloud Services Platform, and the part of a guard that verifies a
// caller's token and exchanges it for one that is meant for the upstream.
//
// It owns requests, clients, users, grants, keys, state and answers. It does
// not own what a token may say: that is internal/mint; nor what a scope allows:
// that is package scopes; nor the server's configuration language: that is
// package caddymodule.
//
// A token request walks through Server.ServeHTTP: request.go reads it once and
// strictly, pipeline.go takes it through the nine numbered steps, one function a
// grant gives a draft, the mint signs, errors.go writes what went wrong and
// audit.go records it.
//
// A proxied request walks through Guard.Decide: the credentials were taken out
// of it before (Take), the path is made canonical, the rule found, the token
// verified, the exchange derived, and the decision made on exactly the set that
// was derived. The forwarded token holds that, or less.
//
// One promise: the caller's token is in no value that can reach an upstream.
package tokenexchange

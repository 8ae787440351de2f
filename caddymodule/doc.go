// Package caddymodule makes package tokenexchange part of Caddy: the app
// `scopegate`, the handlers `oauth_server` and `guard` with their directives,
// and the stores as guest modules.
//
// It owns configuration (Caddyfile and JSON), the life of what a configuration
// opens, and what must survive the next one. It decides nothing about tokens.
//
// One flow, a start: the adapter turns the Caddyfile into JSON; Provision reads
// the files that the configuration names and nothing else, compiles it, walks
// the provisioned routes and gives every guard its rules; Start opens the store
// and the keys and lets requests in; Cleanup gives back what was acquired.
//
// One promise: a guard that was not bound and started refuses every request.
package caddymodule

//go:build !linux

package integration_test

// awaitOneListener is for Linux, where /proc tells who listens.
func (c *Caddy) awaitOneListener(string) {}

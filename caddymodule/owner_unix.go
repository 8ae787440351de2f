//go:build unix

package caddymodule

import (
	"fmt"
	"os"
	"syscall"

	"github.com/caddyserver/certmagic"
)

// sameOwner refuses to replace a file of somebody else: it would belong to whoever
// runs the command, and the server, which runs as its owner, could not read it.
func sameOwner(storage certmagic.Storage, key string) error {
	local, ok := storage.(*certmagic.FileStorage)
	if !ok {
		return nil
	}
	info, err := os.Stat(local.Filename(key))
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to the user %d, and this runs as %d; expected the user that Caddy runs as, as with sudo -u", local.Filename(key), owner.Uid, os.Geteuid())
	}
	return nil
}

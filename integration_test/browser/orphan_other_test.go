//go:build !linux

package browser

import "syscall"

// dieWithParent can do nothing here: only Linux knows the parent's death.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

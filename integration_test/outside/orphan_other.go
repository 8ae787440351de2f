//go:build !linux

package outside

import "syscall"

// DieWithParent can do nothing here: only Linux knows the parent's death.
func DieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

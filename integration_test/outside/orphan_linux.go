package outside

import "syscall"

// DieWithParent lets the kernel end our processes if the tests are killed or
// run into their timeout, when no cleanup runs any more.
func DieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

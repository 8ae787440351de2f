package outside

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
)

// StartProgram starts a program that says one line when it serves, and ends with
// its input. It returns that line, and how to end the program.
func StartProgram(cmd *exec.Cmd) (line string, stop func(), err error) {
	said := &strings.Builder{}
	cmd.Stderr, cmd.SysProcAttr = said, DieWithParent()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	hold, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	lines := bufio.NewReader(out)
	if line, err = lines.ReadString('\n'); err != nil {
		_ = cmd.Wait()
		return "", nil, fmt.Errorf("%q did not start: %w\n%s", cmd.Args, err, said)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return strings.TrimSpace(line), sync.OnceFunc(func() {
		hold.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}), nil
}

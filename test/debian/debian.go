// Package debian has programs of the system for tests: what is missing is installed.
package debian

import (
	"bytes"
	"fmt"
	"os/exec"
	"sync"
)

// Program finds a program of the system. Where it is missing, the package of Debian
// that has it is installed, which takes root and a minute.
func Program(name, pkg string) (path string, err error) {
	if path, err = exec.LookPath(name); err == nil {
		return path, nil
	}
	installing.Lock()
	defer installing.Unlock()
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", pkg}} {
		// Tests of several packages may want to at the same time.
		cmd := exec.Command("apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
		cmd.Env = append(cmd.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s is not there, and the package %s cannot be installed: apt-get %s: %w: %s", name, pkg, args[0], err, bytes.TrimSpace(out))
		}
	}
	return exec.LookPath(name)
}

var installing sync.Mutex

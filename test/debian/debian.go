// Package debian has programs of the system for tests: what is missing is installed.
package debian

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// Program finds a program of the system. Where it is missing, the package of Debian
// that has it is installed, which takes root and a minute.
func Program(name, pkg string) (path string, err error) {
	if path, err = exec.LookPath(name); err == nil {
		return path, nil
	}
	unlock, err := lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "-qq", "--no-install-recommends", pkg}} {
		cmd := exec.Command("apt-get", append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...)...)
		cmd.Env = append(cmd.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s is not there, and the package %s cannot be installed: apt-get %s: %w: %s", name, pkg, args[0], err, bytes.TrimSpace(out))
		}
	}
	return exec.LookPath(name)
}

// lock waits for the tests of other packages, which may install, too: apt waits for nobody where it updates its lists.
func lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "weft-debian.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return func() { f.Close() }, nil
}

//go:build unix && !linux

package envoy

import "syscall"

// childAttributes keep the terminal's Ctrl-C from Envoy, which is drained first.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

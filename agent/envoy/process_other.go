//go:build unix && !linux

package envoy

import "syscall"

// ChildAttributes keep the terminal's Ctrl-C from Envoy, which is drained first.
func ChildAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

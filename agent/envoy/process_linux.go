package envoy

import "syscall"

// ChildAttributes keep the terminal's Ctrl-C from Envoy, which is drained first,
// and let it end with an agent that was killed: a second Envoy on the same ports
// would share their connections with it.
func ChildAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

package envoy

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// ChildAttributes keep the terminal's Ctrl-C from Envoy, which is drained first,
// and let it end with an agent that was killed: a second Envoy on the same ports
// would share their connections with it. Called by the thread that then starts the
// child, they also keep capabilities from it that only the agent was given, for
// redirection.
func ChildAttributes() *syscall.SysProcAttr {
	// A kernel that does not know this has none to keep.
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

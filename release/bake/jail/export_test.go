package jail

import (
	"os/exec"
	"runtime"
)

// ConfineSelf is confineSelf.
var ConfineSelf = confineSelf

// RunConfined runs a command within Landlock.
func RunConfined(cmd *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		err := confineThread(cmd)
		if err == nil {
			err = cmd.Run()
		}
		ended <- err
	}()
	return <-ended
}

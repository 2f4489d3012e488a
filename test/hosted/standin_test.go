package hosted

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"weft.dev/agent"
	"weft.dev/identity"
	"weft.dev/model"
)

// standIn is weft run without a proxy: it has its folder, says in its status that the
// application is healthy once it has run for a moment, and ends with it.
func standIn(args []string) int {
	dir, command := args[slices.Index(args, "--dir")+1], args[slices.Index(args, "--")+1:]
	code, err := runAlone(dir, command)
	if err != nil {
		fmt.Fprintln(os.Stderr, "stand-in:", err)
	}
	return code
}

func runAlone(dir string, command []string) (int, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 1, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 1, err
	}
	if err := errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), lock.Truncate(0)); err != nil {
		return 1, err
	}
	if _, err := lock.WriteString(strconv.Itoa(os.Getpid())); err != nil {
		return 1, err
	}
	app := exec.Command(command[0], command[1:]...)
	app.Stdout, app.Stderr = os.Stdout, os.Stderr
	app.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	if err := app.Start(); err != nil {
		return 127, err
	}
	ended := make(chan error, 1)
	go func() { ended <- app.Wait() }()
	alive := time.After(100 * time.Millisecond)
	for {
		select {
		case err := <-ended:
			if app.ProcessState.ExitCode() >= 0 {
				return app.ProcessState.ExitCode(), nil
			}
			return 1, err
		case <-alive:
			text, err := json.Marshal(agent.Status{Health: model.Healthy, AgentProcess: os.Getpid()})
			if err := errors.Join(err, identity.Dir(dir).Write("status.json", text)); err != nil {
				return 1, err
			}
		case <-asked:
			app.Process.Kill()
		}
	}
}

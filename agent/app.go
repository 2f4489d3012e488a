package agent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"weft.dev/agent/envoy"
	"weft.dev/model"
)

// stopGrace is an application's, before it is killed.
const stopGrace = 10 * time.Second

// Redirection leads what the application calls, and what nobody else does, to its
// Envoy.
type Redirection interface {
	// Begin leads to a port of loopback; End takes that back.
	Begin(port uint32) error
	// Inside has a process start as the application.
	Inside(attr *syscall.SysProcAttr)
	End() error
}

// environment tells an application where it listens and, if its calls are not led
// there anyhow, whom to call through.
func environment(r model.Registration) []string {
	env := []string{"WEFT_APP=" + r.App, "WEFT_VERSION=" + r.Version, "WEFT_NAMESPACE=" + r.Namespace, "WEFT_WORKLOAD=" + r.Name}
	if !r.Redirected {
		proxy := "http://127.0.0.1:" + strconv.Itoa(int(r.OutboundPort))
		env = append(env, "HTTP_PROXY="+proxy, "http_proxy="+proxy, "HTTPS_PROXY="+proxy, "https_proxy="+proxy,
			"NO_PROXY=127.0.0.1,::1", "no_proxy=127.0.0.1,::1")
	}
	for i, p := range r.Ports {
		port := strconv.Itoa(int(p.AppPort))
		if i == 0 {
			env = append(env, "PORT="+port)
		}
		env = append(env, fmt.Sprintf("PORT_%d=%s", p.Number, port))
	}
	return env
}

// app is a running application.
type app struct {
	process *os.Process
	ended   chan struct{}
	code    int
}

// startApp starts the command. Its end is told by ended, and then code.
func (a *agent) startApp() (*app, error) {
	one := &app{ended: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // see envoy.ChildAttributes
		defer runtime.UnlockOSThread()
		cmd := exec.Command(a.Command[0], a.Command[1:]...)
		cmd.Env = append(os.Environ(), environment(a.Registration)...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, a.Stdout, a.Stderr
		cmd.SysProcAttr = envoy.ChildAttributes()
		cmd.SysProcAttr.Credential = a.User
		if a.Redirection != nil {
			a.Redirection.Inside(cmd.SysProcAttr)
		}
		err := cmd.Start()
		one.process = cmd.Process
		started <- err
		if err == nil {
			one.code = exitCode(cmd.Wait())
			close(one.ended)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("application %s: %w", a.Command[0], err)
	}
	return one, nil
}

// exitCode is what a shell would say.
func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &exit):
		return 1
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return exit.ExitCode()
}

// stop asks the application to end, and makes it after a while.
func (a *app) stop() {
	if a.process.Signal(syscall.SIGTERM) != nil {
		<-a.ended
		return
	}
	select {
	case <-a.ended:
	case <-time.After(stopGrace):
		a.process.Kill()
		<-a.ended
	}
}

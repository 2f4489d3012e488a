package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/rest"

	"weft.dev/identity"
	"weft.dev/store"
	"weft.dev/test/process"
)

const (
	startTime = 2 * time.Minute
	// steadyTime is how long memory must not change to count as settled: longer than weft waits after its start
	// before it gives back what that took.
	steadyTime = 20 * time.Second
	settleTime = 2 * time.Minute
)

// weft is `weft serve --kube`, outside of the cluster.
type weft struct {
	cmd   *exec.Cmd
	mesh  string
	roots []byte     // PEM: whom its pods trust
	done  chan error // how it ended
}

func startWeft(binary, kubeconfig string, config *rest.Config) (*weft, error) {
	api, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	mesh, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	w := &weft{mesh: process.Loopback(mesh), done: make(chan error, 1)}
	w.cmd = exec.Command(binary, "serve", "--kube", "--cluster-kubeconfig", kubeconfig, "--listen", process.Loopback(api), "--mesh", w.mesh)
	w.cmd.Stdout, w.cmd.Stderr = os.Stderr, os.Stderr
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := w.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { w.done <- w.cmd.Wait() }()
	return w, process.Until(startTime, func() (err error) { w.roots, err = roots(config); return err })
}

// roots are whom the server's pods trust, PEM, once it has founded its authority.
func roots(config *rest.Config) ([]byte, error) {
	client, err := store.NewClient(config)
	if err != nil {
		return nil, err
	}
	files := store.NewSecretFiles(client, "weft-system", "weft-authority")
	if _, err := files.Read("ca.json"); err != nil {
		return nil, err // opening it would found one
	}
	authority, err := identity.OpenCA(files, "cluster.local", time.Now)
	if err != nil {
		return nil, err
	}
	return authority.RootsPEM(), nil
}

func (w *weft) stop() {
	_ = w.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which its output says
	<-w.done
}

// settled waits until the memory of the process is steady, and returns it, in bytes.
func (w *weft) settled() (int, error) {
	last, since := 0, time.Now()
	err := process.Until(settleTime, func() error {
		now, err := w.memory()
		if err != nil {
			return err
		}
		if max(now-last, last-now) > 1<<20 {
			last, since = now, time.Now()
		}
		if time.Since(since) < steadyTime {
			return fmt.Errorf("memory of weft changes still: %d MiB", now>>20)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return w.memory()
}

func (w *weft) memory() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.Fields(rest)[0])
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no VmRSS: the process has ended")
}

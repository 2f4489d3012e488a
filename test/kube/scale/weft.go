package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"weft.dev/test/process"
)

const (
	startTime = 2 * time.Minute
	// steadyTime is how long memory must not grow to count as settled.
	steadyTime = 5 * time.Second
	settleTime = 2 * time.Minute
)

// weft is `weft serve --kube`, outside of the cluster.
type weft struct {
	cmd  *exec.Cmd
	mesh string
	done chan error // how it ended
}

func startWeft(binary, kubeconfig string, client kubernetes.Interface) (*weft, error) {
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
	return w, process.Until(startTime, func() error { _, err := w.roots(client); return err })
}

// roots are the certificates that the server's pods trust, PEM.
func (w *weft) roots(client kubernetes.Interface) ([]byte, error) {
	secret, err := client.CoreV1().Secrets("weft-system").Get(context.Background(), "weft-authority", meta.GetOptions{})
	if err != nil {
		return nil, err
	}
	for name, data := range secret.Data {
		if strings.HasSuffix(name, ".crt") {
			return data, nil
		}
	}
	return nil, fmt.Errorf("secret weft-system/weft-authority has no certificate")
}

func (w *weft) stop() {
	_ = w.cmd.Process.Signal(syscall.SIGTERM) // it may have ended, which its output says
	<-w.done
}

// settled waits until the memory of the process is steady, and returns it, in bytes.
func (w *weft) settled() (int, error) {
	highest, since := 0, time.Now()
	err := process.Until(settleTime, func() error {
		now, err := w.memory()
		if err != nil {
			return err
		}
		if now > highest+1<<20 {
			highest, since = now, time.Now()
		}
		if time.Since(since) < steadyTime {
			return fmt.Errorf("memory of weft grows still: %d MiB", now>>20)
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

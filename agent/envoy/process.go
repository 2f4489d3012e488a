package envoy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

const (
	minRestart = 100 * time.Millisecond
	maxRestart = 10 * time.Second
	stable     = 30 * time.Second // after which a crash is the first one again
	stopGrace  = 5 * time.Second
	maxLog     = 10 << 20 // of a log file before it is set aside
)

// Process is an Envoy that is started again whenever it ends.
type Process struct {
	Binary      string
	Bootstrap   string // path of the bootstrap file
	LogFile     string
	Concurrency int
	Log         *slog.Logger
}

// Run keeps Envoy running until ctx ends, then stops it.
func (p Process) Run(ctx context.Context) error {
	wait := minRestart
	for {
		began := time.Now()
		err := p.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("Envoy %s: %w", p.Binary, err)
		}
		if time.Since(began) > stable {
			wait = minRestart
		}
		p.Log.Error("Envoy ended and is started again", "why", err, "log", p.LogFile, "in", wait)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		wait = min(2*wait, maxRestart)
	}
}

// once starts Envoy and waits for its end.
func (p Process) once(ctx context.Context) error {
	out, err := p.openLog()
	if err != nil {
		return err
	}
	defer out.Close()
	// The thread that starts Envoy must live as long as Envoy: see ChildAttributes.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Component misc only says, again and again, that an extension of weft's choice is young.
	cmd := exec.Command(p.Binary, "-c", p.Bootstrap, "--disable-hot-restart",
		"--concurrency", strconv.Itoa(max(1, p.Concurrency)), "--log-level", "info", "--component-log-level", "misc:error")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = ChildAttributes()
	if err := cmd.Start(); err != nil {
		return err
	}
	p.Log.Info("Envoy started", "pid", cmd.Process.Pid)
	ended := make(chan struct{})
	defer close(ended)
	go stopWith(ctx, cmd.Process, ended)
	return cmd.Wait()
}

// stopWith asks a process to end when ctx does, and then makes it.
func stopWith(ctx context.Context, process *os.Process, ended <-chan struct{}) {
	select {
	case <-ended:
		return
	case <-ctx.Done():
	}
	if process.Signal(syscall.SIGTERM) != nil {
		return // it has ended
	}
	select {
	case <-ended:
	case <-time.After(stopGrace):
		process.Kill()
	}
}

func (p Process) openLog() (*os.File, error) {
	if info, err := os.Stat(p.LogFile); err == nil && info.Size() > maxLog {
		if err := os.Rename(p.LogFile, p.LogFile+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

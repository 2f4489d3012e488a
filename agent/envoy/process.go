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
	LogFile     string // "": our standard error, which takes only what went wrong
	Concurrency int
	Hot         *Hot // nil: it is never replaced while it runs
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

// once starts Envoy and waits for its end, or that of the last one that replaced it.
func (p Process) once(ctx context.Context) error {
	if p.Hot != nil {
		return p.replaceable(ctx)
	}
	one, err := p.start(p.Binary, p.Bootstrap, "--disable-hot-restart")
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		one.stop()
	case <-one.ended:
	}
	return one.err
}

// started is an Envoy that was started.
type started struct {
	process *os.Process
	ended   chan struct{}
	err     error // after ended
}

func (p Process) start(binary, bootstrap string, more ...string) (*started, error) {
	out, level := os.Stderr, "warning"
	if p.LogFile != "" {
		var err error
		if out, err = p.openLog(); err != nil {
			return nil, err
		}
		level = "info"
	}
	// Component misc only says, again and again, that an extension of weft's choice is young.
	cmd := exec.Command(binary, append([]string{"-c", bootstrap,
		"--concurrency", strconv.Itoa(max(1, p.Concurrency)), "--log-level", level, "--component-log-level", "misc:error"}, more...)...)
	cmd.Stdout, cmd.Stderr = out, out
	one, begun := &started{ended: make(chan struct{})}, make(chan error, 1)
	go func() {
		// The thread that starts Envoy must live as long as Envoy: see ChildAttributes.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if p.LogFile != "" {
			defer out.Close()
		}
		cmd.SysProcAttr = ChildAttributes()
		err := cmd.Start()
		one.process = cmd.Process
		begun <- err
		if err == nil {
			one.err = cmd.Wait()
			close(one.ended)
		}
	}()
	if err := <-begun; err != nil {
		return nil, err
	}
	p.Log.Info("Envoy started", "pid", one.process.Pid)
	return one, nil
}

// stop asks a process to end, and then makes it.
func (s *started) stop() {
	if s.process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-s.ended:
		case <-time.After(stopGrace):
			s.process.Kill()
		}
	}
	<-s.ended
}

func (p Process) openLog() (*os.File, error) {
	if info, err := os.Stat(p.LogFile); err == nil && info.Size() > maxLog {
		if err := os.Rename(p.LogFile, p.LogFile+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(p.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

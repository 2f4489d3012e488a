package steward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"weft.dev/model"
)

// instance is a process that was ordered.
type instance struct {
	dir   string
	leave chan struct{} // closed: it is to end
	kept  kept          // only Ends and, at a start, AppPort change, with the steward's mu

	mu  sync.Mutex
	now model.HostState // without names
}

// kept is what is on disk of an instance.
type kept struct {
	model.HostInstance
	AppPort uint32 `json:"appPort"` // its own, of loopback
}

func newInstance(dir string) *instance { return &instance{dir: dir, leave: make(chan struct{})} }

func (i *instance) key() string { return i.kept.Namespace + "/" + i.kept.Name }

func (i *instance) agentDir() string { return filepath.Join(i.dir, agentDir) }
func (i *instance) output() string   { return filepath.Join(i.dir, outputFile) }

func (i *instance) leaves() bool {
	select {
	case <-i.leave:
		return true
	default:
		return false
	}
}

func (i *instance) state() model.HostState {
	i.mu.Lock()
	defer i.mu.Unlock()
	state := i.now
	state.Namespace, state.Name = i.kept.Namespace, i.kept.Name
	return state
}

// set says how an instance is from now on.
func (s *Steward) set(i *instance, state model.HostState) {
	i.mu.Lock()
	was := i.now
	i.now = state
	i.mu.Unlock()
	if was != state {
		s.tell()
	}
}

// keep has an instance run until it is to end, and again when it ends before. It leaves
// it running when ctx ends.
func (s *Steward) keep(ctx context.Context, i *instance) {
	pause, failures := firstPause, 0
	for ctx.Err() == nil {
		wasReady, err := s.once(ctx, i, failures)
		if ctx.Err() != nil {
			return
		}
		leave := (<-chan struct{})(i.leave)
		if i.leaves() {
			if err = s.remove(i); err == nil {
				return
			}
			leave = nil // it has to wait, too
		}
		if failures++; wasReady {
			pause, failures = firstPause, 1
		}
		s.Log.Warn("an instance does not run", "instance", i.key(), "why", err, "again", pause)
		s.set(i, model.HostState{Why: err.Error(), Failed: failures >= hopeless || errors.Is(err, errRefused)})
		select {
		case <-ctx.Done():
		case <-leave:
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// once starts an instance, or finds it running, and returns when it does not any more, or
// ctx has ended. Of one that was to end the error is nil.
func (s *Steward) once(ctx context.Context, i *instance, failures int) (wasReady bool, err error) {
	var ended <-chan error // nil: it was running before us
	pid := s.Running(i.agentDir())
	if pid == 0 {
		if i.leaves() {
			return false, nil
		}
		if pid, ended, err = s.start(ctx, i); err != nil {
			return false, err
		}
	}
	why, leave := i.state().Why, (<-chan struct{})(i.leave)
	var kill <-chan time.Time
	tick := time.NewTicker(lookPause)
	defer tick.Stop()
	for {
		ready := s.Ready(i.agentDir(), pid)
		state := model.HostState{Running: true, Ready: ready && !i.leaves()}
		if wasReady = wasReady || ready; !ready {
			state.Why, state.Failed = why, !wasReady && failures >= hopeless
		}
		s.set(i, state)
		select {
		case <-ctx.Done():
			return wasReady, nil
		case err := <-ended:
			return wasReady, i.explain(err)
		case <-leave:
			leave, kill = nil, time.After(stopGrace)
			syscall.Kill(pid, syscall.SIGTERM)
		case <-kill:
			syscall.Kill(pid, syscall.SIGKILL)
		case <-tick.C:
		}
		if ended == nil && s.Running(i.agentDir()) != pid {
			return wasReady, i.explain(errors.New("nobody knows how"))
		}
		if err := trim(i.output()); err != nil && !errors.Is(err, os.ErrNotExist) {
			s.Log.Warn("output grows", "instance", i.key(), "why", err)
		}
	}
}

// start begins a weft run that outlives us.
func (s *Steward) start(ctx context.Context, i *instance) (pid int, ended <-chan error, err error) {
	allowed, err := s.Allow.of(i.kept.Namespace, i.kept.App)
	if err != nil {
		return 0, nil, err
	}
	if strings.HasPrefix(i.kept.Health, "command:") { // it would be run by a shell, and not as the application's user
		return 0, nil, fmt.Errorf("%w: health %q: commands are not for weft to start here: use a path, tcp or grpc", errRefused, i.kept.Health)
	}
	if err := s.pickPort(i); err != nil {
		return 0, nil, err
	}
	command, dir, err := s.command(ctx, i, allowed)
	if err != nil {
		return 0, nil, err
	}
	output, err := os.OpenFile(i.output(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, nil, err
	}
	defer output.Close()
	cmd := exec.Command(s.Agent, append(s.flags(i, allowed), command...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	s.Log.Info("an instance is started", "instance", i.key(), "process", cmd.Process.Pid)
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	return cmd.Process.Pid, waited, nil
}

// flags are those of an instance's weft run.
func (s *Steward) flags(i *instance, allowed Allowed) []string {
	k := &i.kept
	flags := append([]string{"run"}, s.Flags...)
	flags = append(flags, "--app", k.App, "--version", k.Version, "--namespace", k.Namespace, "--name", k.Name, "--dir", i.agentDir())
	if k.Port > 0 {
		flags = append(flags, "--port", fmt.Sprintf("%d:%d", k.Port, k.AppPort))
	}
	for name, value := range map[string]string{"--protocol": k.Protocol, "--health": k.Health, "--user": allowed.User} {
		if value != "" {
			flags = append(flags, name, value)
		}
	}
	return append(flags, "--")
}

// command is what is started, and the folder that it is started in.
func (s *Steward) command(ctx context.Context, i *instance, allowed Allowed) (command []string, dir string, err error) {
	from, digest, err := artifact(i.kept.Image)
	if err != nil {
		return nil, "", err
	}
	if from != nil {
		if err := allowed.fetches(from); err != nil {
			return nil, "", err
		}
		if dir, err = s.artifacts.get(ctx, from, digest); err != nil {
			return nil, "", err
		}
	}
	replace := strings.NewReplacer("${version}", i.kept.Version, "${image}", i.kept.Image, "${port}", strconv.Itoa(int(i.kept.AppPort)), "${dir}", dir)
	for _, word := range i.kept.Command {
		if strings.Contains(word, "${dir}") && dir == "" {
			return nil, "", fmt.Errorf("%w: command %q: ${dir} is the folder of an artifact, and image %q is none: deploy https://...@sha256:DIGEST", errRefused, word, i.kept.Image)
		}
		command = append(command, replace.Replace(word))
	}
	if len(command) == 0 {
		return nil, "", fmt.Errorf("%w: there is no command", errRefused)
	}
	if err := allowed.starts(command[0], dir); err != nil {
		return nil, "", err
	}
	if dir == "" {
		dir = "/"
	}
	return command, dir, nil
}

// isFree says whether nobody listens at a port of loopback.
func isFree(port uint32) bool {
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(int(port)))
	return err == nil && listener.Close() == nil
}

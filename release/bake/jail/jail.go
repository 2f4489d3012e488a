// Package jail renders what strangers wrote, where it can do no harm.
//
// Input: a bake.Tree, which Copy makes of a folder, and a bake.Request. Output: the
// manifests, or an error for whoever wrote the tree. The work is done by a process of
// the same binary, which has no environment, may open no file, no socket and no
// other program, and is ended when it takes too long, too much memory or gives too
// much. See docs/design/0015-bake.md.
package jail

import (
	"bytes"
	"cmp"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"weft.dev/release/bake"
)

// Limits of one bake.
const (
	maxTime   = 30 * time.Second
	maxMemory = 512 << 20 // resident
	maxOutput = 100 << 20
	// softMemory is from where on the child collects garbage rather than grows, and hardMemory
	// what the kernel gives it at most: a parent that looks every so often comes too late.
	softMemory = 400 << 20
	hardMemory = 1 << 30
	lookEvery  = 50 * time.Millisecond
)

// Jail says how the child is run.
type Jail struct {
	// Args make the binary that runs call Child.
	Args []string
	// Unconfined bakes on where the kernel has no Landlock.
	Unconfined bool
}

// order is what the child is told.
type order struct {
	Unconfined bool
	Request    bake.Request
	Tree       bake.Tree
}

// Render is bake.Render in a child of its own. Of errors that are not about the tree or its size
// errors.Is says ErrOurs.
func (j Jail) Render(ctx context.Context, t bake.Tree, r bake.Request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, maxTime)
	defer cancel()
	var input bytes.Buffer
	if err := gob.NewEncoder(&input).Encode(order{j.Unconfined, r, t}); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOurs, err)
	}
	c := &child{end: cancel, err: &tail{}}
	cmd := exec.CommandContext(ctx, self, j.Args...)
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &input, c, c.err
	cmd.WaitDelay = time.Second
	err := j.run(ctx, cmd, c)
	return c.result(ctx, err)
}

// ErrOurs is wrapped by errors of which the tree is not the reason.
var ErrOurs = errors.New("the bake could not be run")

// run starts the child and waits for its end, in a thread that is confined, as the
// child will be from its first instruction on, and ends with it.
func (j Jail) run(ctx context.Context, cmd *exec.Cmd, c *child) error {
	ended := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: nothing else may run in it
		err := confineThread(cmd)
		if errors.Is(err, errNoLandlock) && j.Unconfined {
			err = nil
		}
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			ended <- fmt.Errorf("%w: %w", ErrOurs, err)
			return
		}
		watched, stop := context.WithCancel(ctx)
		defer stop()
		go c.watch(watched, cmd.Process.Pid)
		ended <- cmd.Wait()
	}()
	return <-ended
}

// child is what comes of one, and why it was ended.
type child struct {
	end context.CancelFunc
	err *tail

	mu  sync.Mutex
	out bytes.Buffer
	why string
}

func (c *child) stop(why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.why = cmp.Or(c.why, why)
	c.end()
}

// Write takes manifests.
func (c *child) Write(p []byte) (int, error) {
	if c.out.Len()+len(p) > maxOutput {
		c.stop(fmt.Sprintf("it gives more than %d MB; bake it in parts", maxOutput>>20))
		return 0, io.ErrShortWrite
	}
	return c.out.Write(p)
}

// watch ends a child that has too much memory.
func (c *child) watch(ctx context.Context, pid int) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if n, err := resident(pid); err == nil && n > maxMemory {
			c.stop(tooMuchMemory)
		}
	}
}

var tooMuchMemory = fmt.Sprintf("it needs more than %d MB of memory; is there a loop in it?", maxMemory>>20)

// result is what a child that ended gave.
func (c *child) result(ctx context.Context, err error) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := c.err.String()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, ErrOurs):
		return nil, err
	case c.why != "":
		return nil, errors.New(c.why)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("it takes longer than %s; is there a loop in it?", maxTime)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%w: %w", ErrOurs, ctx.Err())
	case err == nil:
		return c.out.Bytes(), nil
	case !errors.As(err, &exit):
		return nil, fmt.Errorf("%w: %w", ErrOurs, err)
	case exit.ExitCode() == exitRefused:
		return nil, errors.New(c.out.String())
	case strings.Contains(said, "out of memory"), strings.Contains(said, "cannot allocate memory"):
		return nil, errors.New(tooMuchMemory)
	case strings.Contains(said, "stack exceeds"), strings.Contains(said, "stack overflow"):
		return nil, errors.New("it calls itself without an end")
	case exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL: // by the kernel
		return nil, fmt.Errorf("it takes more than %s of processor time, or the machine has no memory for it", maxTime)
	}
	return nil, fmt.Errorf("%w: %w: %s", ErrOurs, err, firstLine(said))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return fmt.Sprintf("%.300s", line)
}

// tail keeps the beginning of what a child says when it breaks: what follows are stacks.
type tail struct{ said bytes.Buffer }

const maxSaid = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.said.Write(p[:min(len(p), maxSaid-t.said.Len())])
	return len(p), nil
}

func (t *tail) String() string { return t.said.String() }

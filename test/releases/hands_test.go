package releases

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"weft.dev/release/instances"
	"weft.dev/test/process"
)

// hands is a provider of instances: each is the shop beside its Envoy, started by `weft run`.
type hands struct {
	server    *process.Server
	dir, shop string
	namespace string

	mu       sync.Mutex
	versions map[string]map[string]*version // by application
	all      []*one
	running  sync.WaitGroup
}

type version struct {
	fence   instances.Fence
	wanted  int
	started int // ever, for names
	all     []*one
}

// one is a process of a version.
type one struct {
	cmd     *exec.Cmd
	port    int
	leaving bool
	ended   chan struct{}
}

var _ instances.Provider = (*hands)(nil)

func (h *hands) Observe(_ context.Context, t instances.Target) (map[string]instances.Seen, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[string]instances.Seen{}
	for name, v := range h.versions[t.Application] {
		s := instances.Seen{Wanted: v.wanted}
		for _, o := range v.all {
			if o.gone() {
				continue
			}
			s.Running++
			if !o.leaving && o.answers() {
				s.Ready++
			}
		}
		seen[name] = s
	}
	return seen, nil
}

func (o *one) gone() bool {
	select {
	case <-o.ended:
		return true
	default:
		return false
	}
}

func (o *one) answers() bool {
	conn, err := net.DialTimeout("tcp", process.Loopback(o.port), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func (h *hands) Do(_ context.Context, a instances.Action) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := h.versions[a.Target.Application][a.Version]
	if v == nil {
		switch a.Verb {
		case instances.Delete:
			return nil
		case instances.Deploy:
		default:
			return a.Missing()
		}
		v = &version{}
		if h.versions[a.Target.Application] == nil {
			h.versions[a.Target.Application] = map[string]*version{}
		}
		h.versions[a.Target.Application][a.Version] = v
	}
	if v.fence.Passed(a) {
		return nil
	}
	v.fence = instances.Fence{Seq: a.Seq, ID: a.ID}
	switch a.Verb {
	case instances.Deploy, instances.Scale:
		return h.scale(v, a)
	case instances.Delete:
		delete(h.versions[a.Target.Application], a.Version)
		a.Replicas = 0
		return h.scale(v, a)
	}
	return nil
}

// scale starts the processes that are too few, and has the oldest of those that are too many leave.
func (h *hands) scale(v *version, a instances.Action) error {
	v.wanted = a.Replicas
	var stay []*one
	for _, o := range v.all {
		if !o.leaving && !o.gone() {
			stay = append(stay, o)
		}
	}
	for ; len(stay) > v.wanted; stay = stay[1:] {
		stay[0].leaving = true
		_ = stay[0].cmd.Process.Signal(syscall.SIGTERM) // it drains, and ends
	}
	var errs []error
	for n := len(stay); n < v.wanted; n++ {
		errs = append(errs, h.start(v, a.Target.Application, a.Version))
	}
	return errors.Join(errs...)
}

func (h *hands) start(v *version, app, name string) error {
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	v.started++
	o, err := h.run(fmt.Sprintf("%s-%s-%d", app, name, v.started), port, "--app", app, "--version", name, "--port", "9080:"+strconv.Itoa(port), "--", h.shop)
	if err == nil {
		v.all = append(v.all, o)
	}
	return err
}

// run starts a workload of the mesh; h.mu is held, or nobody else is there yet.
func (h *hands) run(name string, port int, more ...string) (*one, error) {
	log, err := os.Create(filepath.Join(h.dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own
	args := []string{"run", "--dir", filepath.Join(h.dir, name), "--host-dir", filepath.Join(h.dir, "host"), "--namespace", h.namespace, "--name", name, "--protocol", "http", "--health", "tcp"}
	o := &one{cmd: h.server.Command(append(args, more...)...), port: port, ended: make(chan struct{})}
	o.cmd.Stdout, o.cmd.Stderr = log, log
	o.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := o.cmd.Start(); err != nil {
		return nil, err
	}
	h.all = append(h.all, o)
	h.running.Go(func() {
		defer close(o.ended)
		_ = o.cmd.Wait() // it was asked to end
	})
	return o, nil
}

// end ends all that still runs.
func (h *hands) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.all {
		if !o.gone() {
			_ = syscall.Kill(-o.cmd.Process.Pid, syscall.SIGKILL)
		}
	}
	h.running.Wait()
}

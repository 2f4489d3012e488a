package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	readyAfter = 300 * time.Millisecond // that a process has run
	drain      = 5 * time.Second        // from when a process is told to end until it is killed
	again      = 300 * time.Millisecond // until a process that ended is started anew
	hopeless   = 2                      // starts in a row that ended before they were ready
	look       = 50 * time.Millisecond
)

// processes are all versions, by application and then by name.
type processes struct {
	mu   sync.Mutex
	apps map[string]map[string]*version
}

func newProcesses() *processes { return &processes{apps: map[string]map[string]*version{}} }

// version is one of an application.
type version struct {
	id       string // of the last action
	seq      int64
	action   action // of the deploy
	wanted   int
	deleted  bool
	all      []*instance
	failures int // in a row
	why      string
}

// instance is a place for a process, which is started again when it ends.
type instance struct {
	started time.Time
	ready   bool
	leaves  chan struct{} // closed when it is to end
	gone    chan struct{} // closed when it has
}

func (i *instance) leaving() bool {
	select {
	case <-i.leaves:
		return true
	default:
		return false
	}
}

func key(t target) string { return t.Namespace + "/" + t.Application }

// observe is what there is of an application.
func (p *processes) observe(t target) map[string]seen {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := map[string]seen{}
	for name, v := range p.apps[key(t)] {
		v.forget()
		if v.deleted && len(v.all) == 0 {
			delete(p.apps[key(t)], name)
			continue
		}
		s := seen{Wanted: v.wanted, Running: len(v.all), Image: v.action.Image, Why: v.why, Failed: v.failures >= hopeless}
		for _, i := range v.all {
			if i.ready && !i.leaving() {
				s.Ready++
			}
		}
		found[name] = s
	}
	return found
}

// forget drops the instances that have ended.
func (v *version) forget() {
	var stay []*instance
	for _, i := range v.all {
		select {
		case <-i.gone:
		default:
			stay = append(stay, i)
		}
	}
	v.all = stay
}

// do changes a version; an error refuses.
func (p *processes) do(a action) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.apps[key(a.Target)][a.Version]
	switch {
	case v == nil && a.Verb == "delete":
		return nil
	case v == nil && a.Verb != "deploy":
		return fmt.Errorf("there is no version %s of %s to %s: deploy it first", a.Version, a.Target.Application, a.Verb)
	case v != nil && (v.id == a.ID || a.Seq < v.seq):
		return nil
	case a.Verb == "deploy" && a.Target.Runs.Provider.Config["command"] == "":
		return fmt.Errorf("what to run for %s? give it spec.runs.provider.config.command", a.Target.Application)
	}
	if v == nil {
		v = &version{}
		if p.apps[key(a.Target)] == nil {
			p.apps[key(a.Target)] = map[string]*version{}
		}
		p.apps[key(a.Target)][a.Version] = v
	}
	v.id, v.seq = a.ID, a.Seq
	p.change(v, a)
	return nil
}

func (p *processes) change(v *version, a action) {
	switch a.Verb {
	case "deploy":
		v.deleted, v.action, v.failures, v.why = false, a, 0, ""
		p.scale(v, p.replicas(a))
	case "scale":
		p.scale(v, a.Replicas)
	case "restart":
		p.restart(v)
	case "delete":
		v.deleted = true
		p.scale(v, 0)
	}
}

// replicas is how many a deploy is to have.
func (p *processes) replicas(a action) int {
	most := max(a.Replicas, 1)
	if a.Replicas == 0 {
		for _, v := range p.apps[key(a.Target)] {
			most = max(most, v.wanted)
		}
	}
	return most
}

// scale starts the instances that are too few, and ends the youngest of those that are too many.
func (p *processes) scale(v *version, wanted int) {
	v.forget()
	v.wanted = wanted
	n := 0
	for _, i := range v.all {
		if i.leaving() {
			continue
		}
		if n++; n > wanted {
			close(i.leaves)
		}
	}
	for ; n < wanted; n++ {
		p.start(v)
	}
}

// restart starts as many as are wanted, and ends the others once those are ready.
func (p *processes) restart(v *version) {
	var old, fresh []*instance
	for _, i := range v.all {
		if !i.leaving() {
			old = append(old, i)
		}
	}
	for range v.wanted {
		fresh = append(fresh, p.start(v))
	}
	go func() {
		for !p.ready(fresh) {
			time.Sleep(look)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, i := range old {
			if !i.leaving() {
				close(i.leaves)
			}
		}
	}()
}

// ready reports whether all of them are, or are to end.
func (p *processes) ready(all []*instance) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range all {
		if !i.ready && !i.leaving() {
			return false
		}
	}
	return true
}

// start adds an instance.
func (p *processes) start(v *version) *instance {
	i := &instance{leaves: make(chan struct{}), gone: make(chan struct{})}
	v.all = append(v.all, i)
	go p.keep(v, i, v.action)
	return i
}

// keep runs an instance's process, again when it ends, until it is to leave.
func (p *processes) keep(v *version, i *instance, a action) {
	defer close(i.gone)
	for {
		err := p.once(v, i, a)
		p.mu.Lock()
		if i.ready {
			v.failures = 0
		}
		i.ready = false
		if !i.leaving() {
			v.failures++
			v.why = fmt.Sprintf("a process of %s %s ends: %v", a.Target.Application, a.Version, err)
		}
		p.mu.Unlock()
		select {
		case <-i.leaves:
			return
		case <-time.After(again):
		}
	}
}

// once runs a process until it ends, or is told to.
func (p *processes) once(v *version, i *instance, a action) error {
	command := exec.Command("sh", "-c", a.Target.Runs.Provider.Config["command"])
	command.Env = append(os.Environ(), "APPLICATION="+a.Target.Application, "VERSION="+a.Version, "IMAGE="+a.Image)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	alive := time.After(readyAfter)
	for {
		select {
		case err := <-ended:
			return err
		case <-alive:
			p.mu.Lock()
			i.ready, v.failures, v.why = true, 0, ""
			p.mu.Unlock()
		case <-i.leaves:
			syscall.Kill(-command.Process.Pid, syscall.SIGTERM)
			select {
			case err := <-ended:
				return err
			case <-time.After(drain):
				syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
				return <-ended
			}
		}
	}
}

// end ends every process.
func (p *processes) end() {
	p.mu.Lock()
	var all []*instance
	for _, versions := range p.apps {
		for _, v := range versions {
			p.scale(v, 0)
			all = append(all, v.all...)
		}
	}
	p.mu.Unlock()
	for _, i := range all {
		<-i.gone
	}
}

// Package fake is a provider of instances in memory, for tests: instances that take
// time to start and to end, in room that may be too little.
//
// Input: instances.Actions and a clock. Output: what there is by then. It must not
// know who asks.
package fake

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"weft.dev/release/instances"
)

// Options of a provider. The zero value has room for everything, at once.
type Options struct {
	Now   func() time.Time // default: time.Now
	Start time.Duration    // from when there is room for an instance until it is ready
	Stop  time.Duration    // from when an instance is told to end until it has
	Room  int              // for instances of all applications; 0: without limit
	// Bad says why instances of an image never get ready; "": they do.
	Bad func(image string) string
}

// Provider is the instances of all applications.
type Provider struct {
	Options
	mu      sync.Mutex
	apps    map[application]map[string]*version
	waiting []*instance // for room, who came first first
}

type application struct{ namespace, name string }

type version struct {
	fence   instances.Fence
	image   string
	wanted  int
	deleted bool
	all     []*instance
}

// instance is one of a version. It waits for room while started is zero, and stays while leaves is:
// from then on it is sent nothing new.
type instance struct{ started, leaves time.Time }

func (i *instance) stays() bool { return i.leaves.IsZero() }

// New makes a provider that runs nothing.
func New(o Options) *Provider {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Bad == nil {
		o.Bad = func(string) string { return "" }
	}
	return &Provider{Options: o, apps: map[application]map[string]*version{}}
}

var _ instances.Provider = (*Provider)(nil)

// Observe finds the versions of an application.
func (p *Provider) Observe(_ context.Context, t instances.Target) (map[string]instances.Seen, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.pass()
	seen := map[string]instances.Seen{}
	for name, v := range p.apps[application{t.Namespace, t.Application}] {
		seen[name] = p.seen(v, now)
	}
	return seen, nil
}

func (p *Provider) seen(v *version, now time.Time) instances.Seen {
	s := instances.Seen{Wanted: v.wanted, Image: v.image, Why: p.Bad(v.image)}
	s.Failed = s.Why != ""
	for _, i := range v.all {
		if i.started.IsZero() {
			s.Why = "there is no room for all of them"
			continue
		}
		s.Running++
		if !s.Failed && !now.Before(i.started.Add(p.Start)) && (i.stays() || now.Before(i.leaves)) {
			s.Ready++
		}
	}
	return s
}

// Do changes a version.
func (p *Provider) Do(_ context.Context, a instances.Action) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.pass()
	if err := a.Check(); err != nil {
		return err
	}
	v, err := p.find(a)
	if err != nil || v == nil || v.fence.Passed(a) {
		return err
	}
	v.fence = instances.Fence{Seq: a.Seq, ID: a.ID}
	switch a.Verb {
	case instances.Deploy:
		v.image, v.deleted = a.Image, false
		p.scale(v, p.replicas(a), now)
	case instances.Scale:
		p.scale(v, a.Replicas, now)
	case instances.Restart:
		p.restart(v, now)
	case instances.Delete:
		v.deleted = true
		p.scale(v, 0, now)
	}
	p.pass()
	return nil
}

// find is the version that an action is for; nil: there is none to delete.
func (p *Provider) find(a instances.Action) (*version, error) {
	key := application{a.Target.Namespace, a.Target.Application}
	v := p.apps[key][a.Version]
	switch {
	case v != nil || a.Verb == instances.Delete:
		return v, nil
	case a.Verb != instances.Deploy:
		return nil, a.Missing()
	}
	if p.apps[key] == nil {
		p.apps[key] = map[string]*version{}
	}
	v = &version{}
	p.apps[key][a.Version] = v
	return v, nil
}

// replicas is how many a deploy is to have.
func (p *Provider) replicas(a instances.Action) int {
	most := max(a.Replicas, 1)
	if a.Replicas == 0 {
		for v := range maps.Values(p.apps[application{a.Target.Namespace, a.Target.Application}]) {
			most = max(most, v.wanted)
		}
	}
	return most
}

// scale starts the instances that are too few, and ends the youngest of those that are too many.
func (p *Provider) scale(v *version, wanted int, now time.Time) {
	v.wanted = wanted
	stay := 0
	for _, i := range v.all {
		if i.stays() {
			if stay++; stay > wanted {
				i.leaves = now
			}
		}
	}
	for ; stay < wanted; stay++ {
		one := &instance{}
		v.all, p.waiting = append(v.all, one), append(p.waiting, one)
	}
}

// restart starts as many as are wanted, and ends the others once those are ready.
func (p *Provider) restart(v *version, now time.Time) {
	for _, i := range v.all {
		if i.stays() {
			i.leaves = now.Add(p.Start)
		}
	}
	p.scale(v, v.wanted, now)
}

// pass lets happen what has by now: instances end, and others start where there is room.
func (p *Provider) pass() time.Time {
	now := p.Now()
	running := 0
	for _, all := range p.apps {
		for name, v := range all {
			v.all = slices.DeleteFunc(v.all, func(i *instance) bool {
				return !i.stays() && (i.started.IsZero() || !now.Before(i.leaves.Add(p.Stop)))
			})
			if v.deleted && len(v.all) == 0 {
				delete(all, name)
			}
			for _, i := range v.all {
				if !i.started.IsZero() {
					running++
				}
			}
		}
	}
	p.waiting = slices.DeleteFunc(p.waiting, func(i *instance) bool { return !i.stays() })
	for ; len(p.waiting) > 0 && (p.Room == 0 || running < p.Room); running++ {
		p.waiting[0].started = now
		p.waiting = p.waiting[1:]
	}
	return now
}

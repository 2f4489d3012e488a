package host

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
)

const (
	pause = 100 * time.Millisecond // between two rounds of the loop, for changes that come together
	again = 2 * time.Second        // until the loop looks without being told to
)

// order is what a host is told, and changed is closed when it is told something else.
type order struct {
	model.HostOrder
	changed chan struct{}
}

// Run says which host has what until ctx ends. One of several servers runs it.
func (p *Provider) Run(ctx context.Context) error {
	p.mu.Lock()
	p.began = p.Now()
	p.mu.Unlock()
	defer p.forget()
	tick := time.NewTicker(again)
	defer tick.Stop()
	for {
		if err := p.round(ctx); err != nil && ctx.Err() == nil {
			p.Log.Warn("hosts are not told what to run", "why", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-p.wake:
		}
	}
}

// forget leaves hosts to whoever leads next.
func (p *Provider) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.began = time.Time{}
	for _, o := range p.orders {
		close(o.changed)
	}
	clear(p.hosts)
	clear(p.orders)
}

// round plans all versions once, and tells hosts of what is stored.
func (p *Provider) round(ctx context.Context) error {
	all, err := p.Versions.List(ctx, "")
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b *v1alpha1.HostVersion) int { // so that the same is no other order
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	f := p.fleet()
	for _, v := range all {
		for _, i := range v.Spec.Instances {
			if !i.Ends {
				f.load[i.Host]++
			}
		}
	}
	orders := map[string][]model.HostInstance{}
	for _, v := range all {
		stored, err := p.planned(ctx, f, v)
		if err != nil {
			return err
		}
		for _, i := range stored.Spec.Instances {
			orders[i.Host] = append(orders[i.Host], instance(stored, i))
		}
	}
	p.tell(orders)
	return nil
}

// planned takes a version one step further, and returns it as it is stored then.
func (p *Provider) planned(ctx context.Context, f fleet, v *v1alpha1.HostVersion) (*v1alpha1.HostVersion, error) {
	next := v.DeepCopy()
	f.plan(next)
	switch {
	case next.Spec.Deleted && len(next.Spec.Instances) == 0:
		if err := p.Versions.Remove(ctx, next); err != nil && !apierrors.IsConflict(err) {
			return nil, err
		}
		return next, nil
	case reflect.DeepEqual(v.Spec, next.Spec):
		return v, nil
	}
	stored, err := p.Versions.Update(ctx, next)
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		p.again() // somebody was faster
		return v, nil
	}
	return stored, err
}

// instance is one of a version, as its host is told.
func instance(v *v1alpha1.HostVersion, i v1alpha1.HostInstance) model.HostInstance {
	return model.HostInstance{
		Namespace: v.Namespace, Name: i.Name, App: v.Spec.Application, Version: v.Spec.Version, Image: v.Spec.Image,
		Command: v.Spec.Run.Command, Port: uint32(v.Spec.Run.Port), Protocol: v.Spec.Run.Protocol, Health: v.Spec.Run.Health,
		Ends: i.Ends,
	}
}

// tell keeps what each host is told from now on.
func (p *Provider) tell(orders map[string][]model.HostInstance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for host := range p.hosts {
		if _, named := orders[host]; !named {
			orders[host] = nil
		}
	}
	for host, all := range orders {
		last := p.orders[host]
		if last != nil && reflect.DeepEqual(last.Instances, all) {
			continue
		}
		next := &order{changed: make(chan struct{})}
		next.Number, next.Instances = 1, all
		if last != nil {
			next.Number = last.Number + 1
			close(last.changed)
		}
		p.orders[host] = next
	}
}

// Order is what a host is told; false: nobody knows yet. Changed is closed when it is told
// something else; ask again then, or after a while where there is none.
func (p *Provider) Order(host string) (o model.HostOrder, changed <-chan struct{}, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.orders[host]; known != nil {
		return known.HostOrder, known.changed, true
	}
	return model.HostOrder{}, nil, false
}

// Hear takes what a host says, whose certificate may have the identity of an application.
func (p *Provider) Hear(host string, may func(namespace, app string) bool, r model.HostReport) {
	m := &machine{report: r, at: p.Now(), may: may, states: map[string]model.HostState{}, done: map[string]bool{}}
	for _, state := range r.Instances {
		m.states[state.Namespace+"/"+state.Name] = state
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.orders[host]; o != nil && o.Number == r.Taken {
		for _, i := range o.Instances {
			if key := i.Namespace + "/" + i.Name; i.Ends {
				_, there := m.states[key]
				m.done[key] = !there
			}
		}
	}
	last := p.hosts[host]
	p.hosts[host] = m
	if last == nil || !reflect.DeepEqual(last.report, r) {
		p.again()
	}
}

// again has the loop look.
func (p *Provider) again() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

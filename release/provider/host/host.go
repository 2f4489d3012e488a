package host

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
	"weft.dev/release/instances"
)

// Versions are the stored ones, as store.Resource is.
type Versions interface {
	List(ctx context.Context, namespace string) ([]*v1alpha1.HostVersion, error)
	Create(ctx context.Context, v *v1alpha1.HostVersion) (*v1alpha1.HostVersion, error)
	Update(ctx context.Context, v *v1alpha1.HostVersion) (*v1alpha1.HostVersion, error)
	// Remove deletes a version unless it has changed since it was read.
	Remove(ctx context.Context, v *v1alpha1.HostVersion) error
}

// maxReplicas of a version, as the schema says.
const maxReplicas = 1000

// Options of a provider.
type Options struct {
	Versions Versions
	Now      func() time.Time
	Log      *slog.Logger
}

// Provider is all hosts of a mesh. Until Run has begun it knows of none.
type Provider struct {
	Options
	wake chan struct{} // Run has something to do

	mu     sync.Mutex
	began  time.Time // since when hosts are heard; zero: Run has not begun
	hosts  map[string]*machine
	orders map[string]*order
}

var _ instances.Provider = (*Provider)(nil)

// New makes a provider.
func New(o Options) *Provider {
	return &Provider{Options: o, wake: make(chan struct{}, 1), hosts: map[string]*machine{}, orders: map[string]*order{}}
}

// fleet is what is known of hosts now.
func (p *Provider) fleet() fleet {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fleet{hosts: maps.Clone(p.hosts), now: p.Now(), began: p.began, load: map[string]int{}}
}

// Observe finds the versions of an application. While nobody knows yet what a host runs, it fails.
func (p *Provider) Observe(ctx context.Context, t instances.Target) (map[string]instances.Seen, error) {
	f := p.fleet()
	if f.began.IsZero() {
		return nil, fmt.Errorf("%s/%s: this server does not lead: hosts tell another one what they run", t.Namespace, t.Application)
	}
	all, err := p.versions(ctx, t)
	if err != nil {
		return nil, err
	}
	found := map[string]instances.Seen{}
	for _, v := range all {
		if v.Spec.Deleted && len(v.Spec.Instances) == 0 {
			continue
		}
		for _, i := range v.Spec.Instances {
			if f.hosts[i.Host] == nil && f.silent(i.Host) < leaseTime {
				return nil, fmt.Errorf("%s has not said yet what runs there: it has %v after this server's start", i.Host, leaseTime)
			}
		}
		found[v.Spec.Version] = f.seen(v)
	}
	return found, nil
}

func (f fleet) seen(v *v1alpha1.HostVersion) instances.Seen {
	s := instances.Seen{Wanted: int(v.Spec.Replicas), Image: v.Spec.Image}
	if v.Spec.Deleted {
		s.Wanted = 0
	}
	for _, i := range v.Spec.Instances {
		state := f.state(v, i)
		if state.Running {
			s.Running++
		}
		switch {
		case i.Ends:
		case !f.alive(i.Host):
			s.Why = fmt.Sprintf("%s is on %s, which is silent: others get its share %v after it fell so", i.Name, i.Host, MoveAfter)
		case state.Ready:
			s.Ready++
		case i.Round == v.Spec.Round && (s.Why == "" || state.Failed && !s.Failed):
			s.Why, s.Failed = f.why(i, state), state.Failed
		}
	}
	if len(v.Spec.Instances) < s.Wanted {
		s.Why = f.homeless(v)
	}
	return s
}

func (f fleet) why(i v1alpha1.HostInstance, state model.HostState) string {
	if state.Why == "" {
		return fmt.Sprintf("%s on %s has not begun yet", i.Name, i.Host)
	}
	return fmt.Sprintf("%s on %s: %s", i.Name, i.Host, state.Why)
}

// homeless says why no host takes an instance.
func (f fleet) homeless(v *v1alpha1.HostVersion) string {
	var reasons []string
	for _, host := range slices.Sorted(maps.Keys(f.hosts)) {
		if why := f.lets(host, v); why != "" && len(reasons) < 3 {
			reasons = append(reasons, why)
		}
	}
	if len(f.hosts) == 0 {
		reasons = []string{"no host lets weft start anything: weft host --allow does"}
	}
	if len(reasons) == 0 {
		return "its instances get their hosts"
	}
	return "there is no host for all of them: " + strings.Join(reasons, "; ")
}

// versions are those of an application.
func (p *Provider) versions(ctx context.Context, t instances.Target) ([]*v1alpha1.HostVersion, error) {
	all, err := p.Versions.List(ctx, t.Namespace)
	return slices.DeleteFunc(all, func(v *v1alpha1.HostVersion) bool { return v.Spec.Application != t.Application }), err
}

// Do changes what is to run; the loop does the rest.
func (p *Provider) Do(ctx context.Context, a instances.Action) error {
	if err := a.Check(); err != nil {
		return err
	}
	all, err := p.versions(ctx, a.Target)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(v *v1alpha1.HostVersion) bool { return v.Spec.Version == a.Version })
	fence := v1alpha1.HostAction{ID: a.ID, Seq: a.Seq}
	switch {
	case at < 0 && a.Verb == instances.Delete:
		return nil
	case at < 0 && a.Verb != instances.Deploy:
		return a.Missing()
	case at < 0:
		v := &v1alpha1.HostVersion{ObjectMeta: metav1.ObjectMeta{Namespace: a.Target.Namespace, Name: v1alpha1.VersionName(a.Target.Application, a.Version)}}
		v.Spec.Application, v.Spec.Version, v.Spec.Done = a.Target.Application, a.Version, fence
		if err := deploy(v, a, all); err != nil {
			return err
		}
		_, err = p.Versions.Create(ctx, v)
		p.again()
		return refused(err)
	}
	v := all[at]
	if (instances.Fence{Seq: v.Spec.Done.Seq, ID: v.Spec.Done.ID}).Passed(a) {
		return nil
	}
	v.Spec.Done = fence
	if err := change(v, a, all); err != nil {
		return err
	}
	_, err = p.Versions.Update(ctx, v)
	p.again()
	return refused(err)
}

// refused makes a refusal of what the store will never take.
func refused(err error) error {
	if apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
		return fmt.Errorf("%w: %w", instances.ErrRefused, err)
	}
	return err
}

func change(v *v1alpha1.HostVersion, a instances.Action, all []*v1alpha1.HostVersion) error {
	if v.Spec.Deleted && a.Verb != instances.Deploy && a.Verb != instances.Delete {
		return a.Missing()
	}
	switch a.Verb {
	case instances.Deploy:
		return deploy(v, a, all)
	case instances.Scale:
		if a.Replicas > maxReplicas {
			return tooMany(a)
		}
		v.Spec.Replicas = int32(a.Replicas)
	case instances.Restart:
		v.Spec.Round++
	case instances.Delete:
		v.Spec.Deleted = true
	}
	return nil
}

// deploy has a version be what the Application says now. All are the versions of it that there are.
func deploy(v *v1alpha1.HostVersion, a instances.Action, all []*v1alpha1.HostVersion) error {
	if len(a.Manifests) > 0 {
		return fmt.Errorf("%w: %s %s: hosts take no manifests, but an image: leave them out", instances.ErrRefused, a.Target.Application, a.Version)
	}
	if a.Target.Runs == nil || a.Target.Runs.Host == nil {
		return fmt.Errorf("%w: what to run for %s %s? Give the Application spec.runs.host", instances.ErrRefused, a.Target.Application, a.Version)
	}
	replicas := max(a.Replicas, 1)
	for _, other := range all {
		if a.Replicas == 0 && !other.Spec.Deleted {
			replicas = max(replicas, int(other.Spec.Replicas))
		}
	}
	if replicas > maxReplicas {
		return tooMany(a)
	}
	v.Spec.Image, v.Spec.Run, v.Spec.Replicas, v.Spec.Deleted = a.Image, *a.Target.Runs.Host, int32(replicas), false
	v.Spec.Round++
	return nil
}

func tooMany(a instances.Action) error {
	return fmt.Errorf("%w: %d replicas of %s %s: give at most %d", instances.ErrRefused, a.Replicas, a.Target.Application, a.Version, maxReplicas)
}

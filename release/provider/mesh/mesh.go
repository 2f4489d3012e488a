// Package mesh acts for releases by writing TrafficSplits, and sees for them
// which instances are healthy, how far a split has reached the proxies, and what
// the versions answered.
//
// A split carries the id of the action that wrote it and the shares it wrote, so
// what a person changed since is seen, and left alone. Input: TrafficSplits, and what
// the mesh knows of itself. Output: one TrafficSplit for a service.
// It must not know why traffic moves.
package mesh

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
)

// Annotations of a split that a release wrote.
const (
	ActionAnnotation = "weft.dev/release-action" // id of the action
	SharesAnnotation = "weft.dev/release-shares" // what it wrote
)

// Splits is the stored TrafficSplits, as store.Resource is: objects are the caller's
// own, Update conflicts over another resourceVersion.
type Splits interface {
	Get(ctx context.Context, namespace, name string) (*v1alpha1.TrafficSplit, error)
	List(ctx context.Context, namespace string) ([]*v1alpha1.TrafficSplit, error)
	Create(ctx context.Context, split *v1alpha1.TrafficSplit) (*v1alpha1.TrafficSplit, error)
	Update(ctx context.Context, split *v1alpha1.TrafficSplit) (*v1alpha1.TrafficSplit, error)
}

// Mesh is what the mesh knows of itself, now.
type Mesh interface {
	// Healthy counts, by version, the instances of an application that get traffic, wherever they run.
	Healthy(release.Target) map[string]int
	// Applied says which connected proxies, of those that need the split, have acknowledged
	// what follows from this generation of it or a later one.
	Applied(namespace, name string, generation int64) release.Applied
	// Traffic is what callers of a service counted, as in release.Facts. Counts should only rise:
	// a proxy that restarted or left must not take back what it had counted.
	Traffic(release.Target) map[string]map[string]release.Counts
	// Routes is the same by route, as in release.Facts.
	Routes(release.Target) map[string]map[string]release.Counts
}

// Provider is the release.Provider of the mesh.
type Provider struct {
	splits Splits
	mesh   Mesh
}

// New wires a provider.
func New(s Splits, m Mesh) *Provider { return &Provider{s, m} }

var _ release.Provider = (*Provider)(nil)

// Observe reads the facts of one service.
func (p *Provider) Observe(ctx context.Context, t release.Target) (release.Facts, error) {
	split, err := p.look(ctx, t.Namespace, t.Service)
	if err != nil {
		return release.Facts{}, err
	}
	facts := release.Facts{Healthy: p.mesh.Healthy(t), Traffic: p.mesh.Traffic(t), Routes: p.mesh.Routes(t)}
	if split != nil {
		facts.Split = read(split)
		facts.Applied = p.mesh.Applied(split.Namespace, split.Name, split.Generation)
	}
	return facts, nil
}

// look is find without reading every split of the namespace each second for each release: the
// one that has the service's name is it. That there is another one is said when it is written.
func (p *Provider) look(ctx context.Context, namespace, service string) (*v1alpha1.TrafficSplit, error) {
	split, err := p.splits.Get(ctx, namespace, service)
	switch {
	case err == nil && split.Spec.Service == service:
		return split, nil
	case err == nil || apierrors.IsNotFound(err):
		return p.find(ctx, namespace, service)
	}
	return nil, fmt.Errorf("trafficsplit %s/%s: %w", namespace, service, err)
}

// find is the split of a service; nil: none.
func (p *Provider) find(ctx context.Context, namespace, service string) (*v1alpha1.TrafficSplit, error) {
	all, err := p.splits.List(ctx, namespace)
	if err != nil {
		return nil, fmt.Errorf("trafficsplits of %s: %w", namespace, err)
	}
	all = slices.DeleteFunc(all, func(s *v1alpha1.TrafficSplit) bool { return s.Spec.Service != service })
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return all[0], nil
	}
	return nil, fmt.Errorf("trafficsplits %s/%s and %s/%s both split service %s: delete one of them", namespace, all[0].Name, namespace, all[1].Name, service)
}

// read is a split as releases see it.
func read(s *v1alpha1.TrafficSplit) *release.Split {
	action := s.Annotations[ActionAnnotation]
	return &release.Split{
		Versions: s.Spec.Versions, Action: action,
		Touched: action != "" && s.Annotations[SharesAnnotation] != release.FormatVersions(s.Spec.Versions),
	}
}

// Do writes the shares, if nobody else changed them since the release began.
func (p *Provider) Do(ctx context.Context, a release.Action) error {
	split, err := p.find(ctx, a.Namespace, a.Service)
	if err != nil {
		return err
	}
	if split == nil {
		return p.create(ctx, a)
	}
	now := read(split)
	switch {
	case now.Action == a.ID() || a.Superseded(now.Action):
		return nil
	case !a.Earlier(now.Action) && !same(now, a.Before), now.Touched && a.Earlier(now.Action):
		return fmt.Errorf("trafficsplit %s/%s: %w during the release (now %s)", split.Namespace, split.Name, release.ErrChanged, release.FormatVersions(now.Versions))
	}
	write(split, a)
	if _, err = p.splits.Update(ctx, split); err != nil {
		return fmt.Errorf("trafficsplit %s/%s: %w", split.Namespace, split.Name, err)
	}
	return nil
}

// create writes the first split of a service. One that was there when the release
// began, and is gone, was deleted by somebody.
func (p *Provider) create(ctx context.Context, a release.Action) error {
	if a.Before != nil {
		return fmt.Errorf("trafficsplit of service %s/%s: %w: it was deleted during the release", a.Namespace, a.Service, release.ErrChanged)
	}
	split := &v1alpha1.TrafficSplit{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.Namespace, Name: a.Service},
		Spec:       v1alpha1.TrafficSplitSpec{Service: a.Service},
	}
	write(split, a)
	_, err := p.splits.Create(ctx, split)
	if apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("trafficsplit %s/%s exists for another service, or appeared just now: %w", a.Namespace, a.Service, err)
	}
	if err != nil {
		return fmt.Errorf("trafficsplit %s/%s: %w", a.Namespace, a.Service, err)
	}
	return nil
}

func write(s *v1alpha1.TrafficSplit, a release.Action) {
	if s.Annotations == nil {
		s.Annotations = map[string]string{}
	}
	s.Annotations[ActionAnnotation] = a.ID()
	s.Annotations[SharesAnnotation] = release.FormatVersions(a.Versions)
	s.Spec.Versions = a.Versions
}

// same reports whether the split is still as the release found it.
func same(now, before *release.Split) bool {
	return before != nil && now.Action == before.Action && slices.Equal(now.Versions, before.Versions)
}

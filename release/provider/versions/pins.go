package versions

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pin"
	"weft.dev/release/provider/places"
)

// maxPins is what stands beside a version at most, bytes of JSON.
const maxPins = 2 << 20

// Beside reads the objects of a namespace, as the API server has them.
type Beside interface {
	// Get is one of them; nil: there is none.
	Get(ctx context.Context, kind, namespace, name string) (map[string]any, error)
	// List are those of a kind; none: there is no such kind, either.
	List(ctx context.Context, kind, namespace string) ([]map[string]any, error)
}

// Pin notes what stands beside a version that serves, in place of what did before. A version
// without a record has none.
func (r Records) Pin(ctx context.Context, namespace, application, version string) error {
	v, err := r.Find(ctx, namespace, application, version)
	if r.Beside == nil || v == nil || err != nil {
		return err
	}
	all, err := r.Standing(ctx, v)
	if err != nil {
		return err
	}
	data, err := pin.Bytes(all, maxPins)
	if err != nil {
		return fmt.Errorf("version %s of %s: %w", version, application, err)
	}
	first, err := r.store(ctx, namespace, v.Name+"-pins", data)
	if err != nil || first == v.Spec.Pins {
		return err
	}
	old, err := r.parts(ctx, namespace, v.Spec.Pins)
	if err != nil {
		return err
	}
	v.Spec.Pins = first
	if _, err := r.Versions.Update(ctx, v); err != nil {
		return fmt.Errorf("Version %s: %w", v.Name, err)
	}
	return r.forget(ctx, namespace, old)
}

// Pinned is what stood beside a version when it last served; none: that is not known.
func (r Records) Pinned(ctx context.Context, v *v1alpha1.Version) ([]pin.Object, error) {
	if v.Spec.Pins == "" {
		return nil, nil
	}
	data, err := places.Manifests(ctx, r.Blobs, v.Namespace, "", []string{v.Spec.Pins})
	if err != nil {
		return nil, err
	}
	return pin.Read(data)
}

// Standing is what stands beside a version now, sorted by kind and name.
func (r Records) Standing(ctx context.Context, v *v1alpha1.Version) ([]pin.Object, error) {
	app, err := r.Applications.Get(ctx, v.Namespace, v.Spec.Application)
	if err != nil {
		return nil, fmt.Errorf("Application %s/%s: %w", v.Namespace, v.Spec.Application, err)
	}
	manifests, err := r.Manifests(ctx, v)
	if err != nil {
		return nil, err
	}
	var all []pin.Object
	for _, n := range append(pin.Mentioned(manifests), pin.Named{Kind: "Application", Name: app.Name}) {
		o, err := r.Beside.Get(ctx, n.Kind, v.Namespace, n.Name)
		if apierrors.IsForbidden(err) { // people read no Secrets
			all = append(all, pin.Object{Kind: n.Kind, Name: n.Name})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s %s/%s: %w", n.Kind, v.Namespace, n.Name, err)
		}
		if o != nil {
			all = append(all, pin.Of(o))
		}
	}
	service := app.ServiceName()
	for _, kind := range slices.Concat(pin.RouteKinds(), pin.AccessKinds()) {
		objects, err := r.Beside.List(ctx, kind, v.Namespace)
		if apierrors.IsForbidden(err) && slices.Contains(pin.AccessKinds(), kind) { // who reads routes may not read those
			all = append(all, pin.Unread(kind))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%ss of %s: %w", kind, v.Namespace, err)
		}
		for _, o := range objects {
			if pin.Leads(o, v.Namespace, service) || slices.Contains(pin.AccessKinds(), kind) && pin.Guards(o, v.Namespace, app.Name, service) {
				p := pin.Of(o)
				p.Alone = pin.Alone(o, v.Namespace, service)
				all = append(all, p)
			}
		}
	}
	slices.SortFunc(all, func(a, b pin.Object) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return all, nil
}

// Package versions keeps the records of versions: what ran, so that undo can start
// it again with nothing else at hand.
//
// Input: what was deployed, or found running. Output: Version objects, and Blobs with
// their manifests; the oldest go. It must not know how a version is started.
package versions

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/blob"
	"weft.dev/release/pipeline"
	"weft.dev/release/provider/places"
)

const (
	// keepVersions of each application are kept, and besides those that serve, served before, or have traffic.
	keepVersions = 20
	// maxPiece is how much of the manifests one Blob has, bytes before it is compressed.
	maxPiece = 480 << 10
	// useVersion is what its Blobs say that they are for.
	useVersion = "version"
)

// Objects are the stored ones of one kind, as store.Resource is. To delete what is not there is no error.
type Objects[T any] interface {
	Get(ctx context.Context, namespace, name string) (*T, error)
	List(ctx context.Context, namespace string) ([]*T, error)
	Create(ctx context.Context, o *T) (*T, error)
	Update(ctx context.Context, o *T) (*T, error)
	Delete(ctx context.Context, namespace, name string) error
}

// Applications are the stored ones.
type Applications interface {
	Get(ctx context.Context, namespace, name string) (*v1alpha1.Application, error)
}

// Traffic is who gets an application's.
type Traffic interface {
	Of(ctx context.Context, namespace, application string) (pipeline.TrafficSeen, error)
}

// Records are the versions that are known.
type Records struct {
	Versions     Objects[v1alpha1.Version]
	Blobs        Objects[v1alpha1.Blob]
	Applications Applications
	Traffic      Traffic
	Beside       Beside // nil: what stands beside a version is not noted
}

// Find is the record of a version; nil: there is none.
func (r Records) Find(ctx context.Context, namespace, application, version string) (*v1alpha1.Version, error) {
	v, err := r.Versions.Get(ctx, namespace, v1alpha1.VersionName(application, version))
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("Version %s of %s: %w", version, application, err)
	}
	return v, nil
}

// Manifests are those that a record has; nil: none.
func (r Records) Manifests(ctx context.Context, v *v1alpha1.Version) ([]byte, error) {
	if v.Spec.Manifests == "" {
		return nil, nil
	}
	return places.Manifests(ctx, r.Blobs, v.Namespace, "", []string{v.Spec.Manifests})
}

// Record notes that a version serves, unless there is a record of it: one that was
// made when it was deployed has more in it.
func (r Records) Record(ctx context.Context, namespace string, spec v1alpha1.VersionSpec) error {
	if old, err := r.Find(ctx, namespace, spec.Application, spec.Version); old != nil || err != nil {
		return err
	}
	return r.create(ctx, namespace, spec)
}

// Keep records what was deployed as a version. Another record of the version goes: what
// it says does not run any more.
func (r Records) Keep(ctx context.Context, namespace string, spec v1alpha1.VersionSpec, manifests []byte) error {
	old, err := r.Find(ctx, namespace, spec.Application, spec.Version)
	if err != nil {
		return err
	}
	name := v1alpha1.VersionName(spec.Application, spec.Version)
	spec.Manifests, err = r.store(ctx, namespace, name, manifests)
	if err != nil {
		return err
	}
	if old != nil {
		spec.Pins = old.Spec.Pins
	}
	switch {
	case old != nil && old.Spec == spec:
		return nil
	case old != nil:
		stale := []string{old.Spec.Manifests}
		if old.Spec.Manifests == spec.Manifests {
			stale = nil
		}
		if err := r.remove(ctx, old, stale...); err != nil {
			return err
		}
	}
	return r.create(ctx, namespace, spec)
}

// create makes a record, and makes room for it.
func (r Records) create(ctx context.Context, namespace string, spec v1alpha1.VersionSpec) error {
	name := v1alpha1.VersionName(spec.Application, spec.Version)
	_, err := r.Versions.Create(ctx, &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: spec})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("Version %s of %s: %w", spec.Version, spec.Application, err)
	}
	return r.prune(ctx, namespace, spec.Application)
}

// store puts manifests into Blobs whose names follow from what is in them, and returns the
// first one's. That is made last: once it is there, all of them are.
func (r Records) store(ctx context.Context, namespace, version string, manifests []byte) (string, error) {
	first, parts := "", []string(nil)
	for i, piece := range slices.Backward(slices.Collect(slices.Chunk(manifests, maxPiece))) {
		first = fmt.Sprintf("%s-%.16x-%d", version, sha256.Sum256(manifests), i)
		spec := v1alpha1.BlobSpec{Data: blob.Pack(piece)}
		if i == 0 {
			spec.Parts = parts
		}
		_, err := r.Blobs.Create(ctx, &v1alpha1.Blob{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: first, Labels: map[string]string{v1alpha1.BlobUseLabel: useVersion}}, Spec: spec,
		})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return "", fmt.Errorf("Blob %s: %w", first, err)
		}
		parts = slices.Insert(parts, 0, first)
	}
	return first, nil
}

// remove deletes a record, and then what is in some of its Blobs.
func (r Records) remove(ctx context.Context, v *v1alpha1.Version, firsts ...string) error {
	var names []string
	for _, first := range firsts {
		parts, err := r.parts(ctx, v.Namespace, first)
		if err != nil {
			return err
		}
		names = append(names, parts...)
	}
	if err := r.Versions.Delete(ctx, v.Namespace, v.Name); err != nil {
		return fmt.Errorf("Version %s: %w", v.Name, err)
	}
	return r.forget(ctx, v.Namespace, names)
}

// parts are a Blob and those that follow it, the first one last; none: it is not there.
func (r Records) parts(ctx context.Context, namespace, first string) ([]string, error) {
	if first == "" {
		return nil, nil
	}
	b, err := r.Blobs.Get(ctx, namespace, first)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("Blob %s: %w", first, err)
	}
	return append(b.Spec.Parts, b.Name), nil
}

func (r Records) forget(ctx context.Context, namespace string, blobs []string) error {
	var faults []error
	for _, name := range blobs {
		faults = append(faults, r.Blobs.Delete(ctx, namespace, name))
	}
	return errors.Join(faults...)
}

// prune deletes the oldest records of an application that are too many.
func (r Records) prune(ctx context.Context, namespace, application string) error {
	all, err := r.Versions.List(ctx, namespace)
	if err != nil {
		return fmt.Errorf("versions of %s: %w", namespace, err)
	}
	if all = Of(all, application); len(all) <= keepVersions {
		return nil
	}
	app, err := r.Applications.Get(ctx, namespace, application)
	if err != nil {
		return fmt.Errorf("Application %s/%s: %w", namespace, application, err)
	}
	traffic, err := r.Traffic.Of(ctx, namespace, application)
	if err != nil {
		return err
	}
	for _, v := range all[keepVersions:] {
		name := v.Spec.Version
		if name == app.Status.Version || name == app.Status.Previous || traffic.Share(name) > 0 {
			continue
		}
		if err := r.remove(ctx, v, v.Spec.Manifests, v.Spec.Pins); err != nil {
			return err
		}
	}
	return nil
}

// Of are those of an application, the newest first.
func Of(all []*v1alpha1.Version, application string) []*v1alpha1.Version {
	all = slices.DeleteFunc(all, func(v *v1alpha1.Version) bool { return v.Spec.Application != application })
	slices.SortFunc(all, func(a, b *v1alpha1.Version) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return all
}

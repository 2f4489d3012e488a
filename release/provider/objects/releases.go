package objects

import (
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/pipeline"
)

// owner is who changes objects, for the API server.
const owner = "weft-runs"

// Patcher changes objects of one kind by a merge patch, as store.Resource does.
type Patcher[T any] interface {
	Objects[T]
	Patch(ctx context.Context, owner, namespace, name string, patch []byte) (*T, error)
}

// Releases is a runner's World for "release".
type Releases struct {
	All Patcher[v1alpha1.Release]
	// Earlier is the version of an application that an undo without one goes back to; release.ErrNoEarlier: there is none.
	Earlier func(ctx context.Context, namespace, application string) (string, error)
}

// Observe sees a release.
func (r Releases) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	return observe(ctx, r.All, namespace, l, pipeline.ReleaseSeen{Missing: true}, func(found *v1alpha1.Release) pipeline.ReleaseSeen {
		return pipeline.ReleaseSeen{Phase: found.Status.Phase, Weight: found.Status.Weight, Why: found.Status.Why}
	})
}

// Do makes a release, or aborts one.
func (r Releases) Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error) {
	switch a.Kind {
	case pipeline.CreateRelease:
		work, err := read[pipeline.ReleaseWork](a.Kind, a.Data)
		if err != nil {
			return a.Refused(err)
		}
		if work.Undo && work.Version == "" {
			if work.Version, err = r.Earlier(ctx, namespace, work.Application); errors.Is(err, release.ErrNoEarlier) || apierrors.IsNotFound(err) {
				return a.Refused(err)
			} else if err != nil {
				return pipeline.Result{}, err
			}
		}
		return create(ctx, r.All, a, &v1alpha1.Release{
			ObjectMeta: named(namespace, work.Name, a),
			Spec:       v1alpha1.ReleaseSpec{Application: work.Application, Version: work.Version, Strategy: work.Strategy, Undo: work.Undo, Reason: work.Reason, By: work.By, Groups: work.Groups},
		})
	case pipeline.AbortRelease:
		child, err := read[pipeline.Child](a.Kind, a.Data)
		if err != nil {
			return a.Refused(err)
		}
		_, err = r.All.Patch(ctx, owner, namespace, child.Name, []byte(`{"spec":{"abort":true}}`))
		if apierrors.IsNotFound(err) { // nothing is shifted
			err = nil
		}
		return pipeline.Result{ID: a.ID, OK: err == nil, Text: "abort of " + child.Name}, err
	}
	return a.Refused(unknown(a.Kind))
}

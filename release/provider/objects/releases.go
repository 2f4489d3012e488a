package objects

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/instances"
	"weft.dev/release/pin"
	"weft.dev/release/pipeline"
	"weft.dev/release/provider/versions"
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
	// May is why who asks for a release that undoes may not; "": they may.
	May func(ctx context.Context, undo *v1alpha1.Release) (string, error)
	// Restore is versions.Restorer.Undo.
	Restore func(ctx context.Context, namespace, application, version string, back pin.Back, begin func() error) error
}

// Observe sees a release, or what an undo goes back to.
func (r Releases) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	if l.Kind == pipeline.SeeEarlier {
		return r.earlier(ctx, namespace, l)
	}
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
		rel := &v1alpha1.Release{
			ObjectMeta: named(namespace, work.Name, a),
			Spec:       v1alpha1.ReleaseSpec{Application: work.Application, Version: work.Version, Strategy: work.Strategy, Undo: work.Undo, Reason: work.Reason, By: work.By, Groups: work.Groups},
		}
		if back := (pin.Back{Routes: work.Routes, Config: work.Config}); back != (pin.Back{}) {
			return r.restore(ctx, a, rel, back)
		}
		return create(ctx, r.All, a, rel)
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

func (r Releases) earlier(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	q, err := read[instances.Question](l.Kind, l.Data)
	if err != nil {
		return pipeline.Fact{}, err
	}
	version, err := r.Earlier(ctx, namespace, q.Application)
	if errors.Is(err, release.ErrNoEarlier) || apierrors.IsNotFound(err) {
		return fact(pipeline.EarlierSeen{Refused: err.Error()})
	}
	if err != nil {
		return pipeline.Fact{}, err
	}
	return fact(pipeline.EarlierSeen{Version: version})
}

// restore makes a release that undoes, and puts back what stood beside its version. What stays says the result.
func (r Releases) restore(ctx context.Context, a pipeline.Action, rel *v1alpha1.Release, back pin.Back) (pipeline.Result, error) {
	why, err := r.May(ctx, rel) // before anything is written; of the release it is asked again
	if err != nil {
		return pipeline.Result{}, err
	}
	if why != "" {
		return a.Refused(errors.New(why))
	}
	var made pipeline.Result
	err = r.Restore(ctx, rel.Namespace, rel.Spec.Application, rel.Spec.Version, back, func() (err error) {
		if made, err = create(ctx, r.All, a, rel); err == nil && !made.OK {
			err = errNotMade
		}
		return err
	})
	switch {
	case err == nil || errors.Is(err, errNotMade):
		return made, nil
	case !made.OK || !lasting(err):
		return pipeline.Result{}, err
	}
	made.Data, err = json.Marshal(pipeline.ReleaseMade{Stays: err.Error()})
	return made, err
}

// errNotMade ends the making of a release that was refused.
var errNotMade = errors.New("no release")

// lasting reports whether all of an error would be so again.
func lasting(err error) bool {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return !slices.ContainsFunc(many.Unwrap(), func(err error) bool { return !lasting(err) })
	}
	return refusal(err) || errors.Is(err, versions.ErrUnrecorded)
}

package versions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
	"weft.dev/release/provider/places"
)

// World is a runner's World for "version".
type World struct{ Records }

// Observe sees nothing: a record does not change.
func (w World) Observe(_ context.Context, _ string, l pipeline.Look) (pipeline.Fact, error) {
	return pipeline.Fact{}, fmt.Errorf("nobody sees %q here", l.Kind)
}

// Do records what was deployed.
func (w World) Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error) {
	var work pipeline.VersionWork
	err := json.Unmarshal(a.Data, &work)
	if a.Kind != pipeline.CreateVersion || err != nil {
		return a.Refused(fmt.Errorf("%s: nobody does that, or not so: %v", a.Kind, err))
	}
	manifests, err := places.Manifests(ctx, w.Blobs, namespace, work.Manifests, work.Blobs)
	if err == nil {
		spec := v1alpha1.VersionSpec{Application: work.Application, Version: work.Version, Run: work.Run, Image: work.Image}
		err = w.Keep(ctx, namespace, spec, manifests)
	}
	name := work.Application + " " + work.Version
	if errors.Is(err, instances.ErrRefused) || apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
		return a.Refused(fmt.Errorf("%s is not recorded: %w", name, err))
	}
	return pipeline.Result{ID: a.ID, OK: err == nil, Text: name + " is recorded"}, err
}

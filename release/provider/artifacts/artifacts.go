// Package artifacts finds what a run is to deploy: the newest tag of an image, or
// what a run of another pipeline gave.
//
// Input: pipeline.SeeArtifact, registries, and the records of runs in the same
// namespace. Output: facts; it changes nothing, and downloads no image. What asking
// again would not find is a fact, too; what did not answer is an error.
package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/api/v1alpha1"
	"weft.dev/dial"
	"weft.dev/release/artifact"
	"weft.dev/release/pipeline"
	"weft.dev/release/secret"
)

// Registry says what tags there are, as artifact.Client does.
type Registry interface {
	Tags(ctx context.Context, r artifact.Repository) ([]string, error)
	Digest(ctx context.Context, r artifact.Repository, tag string) (string, error)
}

// Runs are the stored ones, as store.Resource is.
type Runs interface {
	List(ctx context.Context, namespace string) ([]*v1alpha1.PipelineRun, error)
}

// World is a runner's, for "artifact".
type World struct {
	Registry Registry
	Secrets  secret.Secrets
	Runs     Runs
	// Chapter are the events of a run that were sealed as its nth, from 1 on.
	Chapter func(ctx context.Context, o *v1alpha1.PipelineRun, n int32) ([]v1alpha1.RunEvent, error)
}

// Do does nothing: finding is looking.
func (w World) Do(_ context.Context, _ string, a pipeline.Action) (pipeline.Result, error) {
	return a.Refused(fmt.Errorf("kind %q: nobody does that", a.Kind))
}

// Observe finds.
func (w World) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	var c v1alpha1.FindArtifactStage
	if err := json.Unmarshal(l.Data, &c); err != nil || l.Kind != pipeline.SeeArtifact {
		return pipeline.Fact{}, fmt.Errorf("kind %q: nobody sees that, or not so: %v", l.Kind, err)
	}
	seen, err := w.find(ctx, namespace, c)
	if final(err) {
		seen, err = pipeline.ArtifactSeen{Refused: err.Error()}, nil
	}
	if err != nil {
		return pipeline.Fact{}, err
	}
	data, err := json.Marshal(seen)
	return pipeline.Fact{Data: data}, err
}

func (w World) find(ctx context.Context, namespace string, c v1alpha1.FindArtifactStage) (pipeline.ArtifactSeen, error) {
	switch {
	case c.Image != nil:
		return w.image(ctx, namespace, c.Image)
	case c.Run != nil:
		return w.run(ctx, namespace, c.Run)
	}
	return pipeline.ArtifactSeen{}, none{errors.New("it names nothing to find: give image or run")}
}

// none is an error that looking again does not mend.
type none struct{ error }

func final(err error) bool {
	return errors.As(err, new(none)) || errors.As(err, new(artifact.Refusal)) || errors.As(err, new(dial.Refused)) || apierrors.IsNotFound(err)
}

// found is what there is, by name.
func found(text string, outputs map[string]string) pipeline.ArtifactSeen {
	seen := pipeline.ArtifactSeen{Text: text, Outputs: map[string]json.RawMessage{}}
	for name, value := range outputs {
		encoded, err := json.Marshal(value)
		if err != nil {
			panic("artifacts: " + err.Error()) // a text
		}
		seen.Outputs[name] = encoded
	}
	return seen
}

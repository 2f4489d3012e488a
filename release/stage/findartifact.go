package stage

import (
	"encoding/json"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

const (
	found     = "found"
	findEvery = 10 * time.Second
)

// find finds the newest tag of an image, or what a run of another pipeline gave. It only reads: what does not answer
// is asked again, until the stage's time is over. Outputs: image, repository, tag, digest; or run, and those of its stage.
type find struct{}

func (find) Looks(in pipeline.StageInput) []pipeline.Look {
	return []pipeline.Look{{Key: found, Kind: pipeline.SeeArtifact, Data: encode(in.Config), Every: findEvery}}
}

func (find) Next(in pipeline.StageInput) pipeline.StageOutcome {
	fact, known := in.Facts[found]
	var seen pipeline.ArtifactSeen
	switch {
	case in.Cancel != "":
		return cancelled(in.Cancel)
	case !known || fact.Err != "" || json.Unmarshal(fact.Data, &seen) != nil:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: strings.TrimSpace("looks for " + wantedOf(in.Config.(*v1alpha1.FindArtifactStage)) + " " + fact.Err)}
	case seen.Refused != "":
		return failed(seen.Refused)
	}
	return pipeline.StageOutcome{Phase: pipeline.Succeeded, Why: seen.Text, Outputs: encode(seen.Outputs)}
}

// wantedOf is what a stage looks for, in words.
func wantedOf(c *v1alpha1.FindArtifactStage) string {
	if c.Run != nil {
		return "a run of " + c.Run.Pipeline
	}
	if c.Image != nil {
		return "a tag of " + c.Image.Repository
	}
	return "nothing"
}

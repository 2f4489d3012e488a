package stage

import (
	"cmp"
	"encoding/json"
	"fmt"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

// deploy starts a version beside those that run, and records it once all of its instances
// are ready: from the record undo starts it again. One that has to end before that is
// deleted, unless it ran before. Outputs: application, version, image, replicas.
type deploy struct{}

// deployed is what the stage remembers.
type deployed struct {
	Had      bool   `json:"had,omitempty"` // the version ran before
	Image    string `json:"image,omitempty"`
	Replicas int    `json:"replicas,omitempty"`
}

func (deploy) Looks(in pipeline.StageInput) []pipeline.Look {
	app := cmp.Or(in.Config.(*v1alpha1.DeployStage).Application, in.Run.Application)
	switch open := in.Open; {
	case app == "":
		return nil
	case open == nil:
		return []pipeline.Look{lookAt(before, instances.See, app)}
	case open.Kind == instances.Deploy.Kind() && !pending(open):
		return []pipeline.Look{lookAt(after, instances.See, app)}
	}
	return nil
}

func (d deploy) Next(in pipeline.StageInput) pipeline.StageOutcome {
	work, err := deployment(in)
	open := in.Open
	switch {
	case open == nil && in.Cancel != "":
		return cancelled(in.Cancel)
	case open == nil && err != nil:
		return failed(err.Error())
	case open == nil:
		return d.begin(in, work)
	case open.Kind == pipeline.CreateVersion && open.Result != nil && open.Result.OK:
		return d.end(in, work)
	case in.Cancel != "":
		return d.back(in, work)
	case open.Result != nil && !open.Result.OK:
		return failed(open.Result.Text)
	case open.Kind == pipeline.CreateVersion:
		return d.record(in, work, d.memory(in))
	case pending(open):
		return start(work)
	}
	return d.await(in, work)
}

// deployment is what to start.
func deployment(in pipeline.StageInput) (instances.Work, error) {
	c := in.Config.(*v1alpha1.DeployStage)
	work := instances.Work{Application: cmp.Or(c.Application, in.Run.Application), Version: c.Version, Image: c.Image, Manifests: c.Manifests}
	var err error
	if work.Replicas, err = replicas(c.Replicas); err != nil {
		return work, err
	}
	if work.Application == "" {
		return work, errNameless
	}
	work.Blobs, err = manifestsOf(in.Env, c.From)
	return work, err
}

// manifestsOf are the names of the Blobs that a stage before put its manifests into.
func manifestsOf(env pipeline.Env, stage string) (names []string, err error) {
	if stage == "" {
		return nil, nil
	}
	stages, _ := env["stages"].(map[string]any)
	before, _ := stages[stage].(map[string]any)
	outputs, _ := before["outputs"].(map[string]any)
	list, _ := outputs["manifests"].([]any)
	for _, one := range list {
		name, ok := one.(string)
		if !ok {
			return nil, fmt.Errorf("from: output manifests of stage %s has %v, which is no name of a Blob", stage, one)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("from: there is no stage %s before this one that has an output manifests: name it in after, too", stage)
	}
	return names, nil
}

func (deploy) memory(in pipeline.StageInput) (m deployed) {
	_ = json.Unmarshal(in.Memory, &m) // none at first
	return m
}

// begin starts the version, once it is known whether it runs already.
func (deploy) begin(in pipeline.StageInput, work instances.Work) pipeline.StageOutcome {
	all, why := versions(in, before)
	if all == nil {
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: why}
	}
	out := start(work)
	_, had := all[work.Version]
	out.Memory = encode(deployed{Had: had})
	return out
}

func start(work instances.Work) pipeline.StageOutcome {
	return order{verb: instances.Deploy, work: work}.act()
}

func (d deploy) await(in pipeline.StageInput, work instances.Work) pipeline.StageOutcome {
	all, why := versions(in, after)
	if all == nil {
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: why}
	}
	seen := all[work.Version]
	switch {
	case seen.Failed:
		return failed(stands(work, seen))
	case seen.Wanted == 0 || seen.Ready < seen.Wanted:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: stands(work, seen)}
	}
	m := d.memory(in)
	m.Image, m.Replicas = cmp.Or(seen.Image, work.Image), seen.Wanted
	out := d.record(in, work, m)
	out.Memory = encode(m)
	return out
}

func (deploy) record(in pipeline.StageInput, work instances.Work, m deployed) pipeline.StageOutcome {
	return pipeline.StageOutcome{
		Phase: pipeline.Running, Why: fmt.Sprintf("%s %s is ready; it is recorded", work.Application, work.Version),
		Act: &pipeline.Action{Kind: pipeline.CreateVersion, Safe: true, Data: encode(pipeline.VersionWork{
			Application: work.Application, Version: work.Version, Run: in.Run.Name,
			Image: m.Image, Manifests: work.Manifests, Blobs: work.Blobs,
		})},
	}
}

func (d deploy) end(in pipeline.StageInput, work instances.Work) pipeline.StageOutcome {
	m := d.memory(in)
	return pipeline.StageOutcome{
		Phase: pipeline.Succeeded, Why: fmt.Sprintf("%s %s: %d instances are ready", work.Application, work.Version, m.Replicas),
		Outputs: encode(map[string]any{"application": work.Application, "version": work.Version, "image": m.Image, "replicas": m.Replicas}),
	}
}

// back deletes what the stage began.
func (d deploy) back(in pipeline.StageInput, work instances.Work) pipeline.StageOutcome {
	open, what := in.Open, work.Application+" "+work.Version
	refused := open.Result != nil && !open.Result.OK
	switch {
	case d.memory(in).Had:
		return cancelled(fmt.Sprintf("%s; %s ran before, and is left as it is now", in.Cancel, what))
	case open.Kind == instances.Deploy.Kind() && refused:
		return cancelled(fmt.Sprintf("%s; %s was not started: %s", in.Cancel, what, open.Result.Text))
	case open.Kind == instances.Delete.Kind() && refused:
		return cancelled(fmt.Sprintf("%s; %s cannot be deleted: %s", in.Cancel, what, open.Result.Text))
	case open.Kind == instances.Delete.Kind() && !pending(open):
		return cancelled(fmt.Sprintf("%s; %s is deleted again", in.Cancel, what))
	}
	return order{verb: instances.Delete, work: instances.Work{Application: work.Application, Version: work.Version}}.act()
}

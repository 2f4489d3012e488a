package stage

import (
	"slices"
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

var done = &pipeline.Result{OK: true}

func TestRelease(t *testing.T) {
	in := input(t, &v1alpha1.ReleaseStage{Version: "${params.version}"})
	name := pipeline.ChildName(in.Run, "a", 1)
	outputs := ` {"application":"reviews","release":"` + name + `","version":"v2"}`
	made := with(in, pipeline.CreateRelease, done)
	aborted := mustEnd(with(in, pipeline.AbortRelease, done))
	aborting := mustEnd(with(in, pipeline.AbortRelease, nil))
	see := func(in pipeline.StageInput, phase v1alpha1.ReleasePhase) pipeline.StageInput {
		return saw(in, watched, pipeline.ReleaseSeen{Phase: phase, Weight: 5, Why: "why"})
	}
	none := with(in, pipeline.CreateRelease, &pipeline.Result{Text: "no such application"})
	stuck := mustEnd(with(in, pipeline.AbortRelease, &pipeline.Result{Text: "forbidden"}))
	for what, c := range map[string]struct {
		in    pipeline.StageInput
		looks bool
		want  string
	}{
		"first":              {in, false, "Running: makes release " + name + " [release/create]"},
		"not known yet":      {with(in, pipeline.CreateRelease, nil), false, "Running: makes release " + name + " [release/create]"},
		"refused":            {none, false, "Failed: release is not made: no such application"},
		"not seen":           {made, true, "Running: does not see release " + name + " yet"},
		"not begun":          {saw(made, watched, pipeline.ReleaseSeen{}), true, "Running: release " + name + ": Pending at 0%"},
		"on its way":         {see(made, v1alpha1.ReleaseProgressing), true, "Running: release " + name + ": Progressing at 5%: why"},
		"inconclusive":       {see(made, v1alpha1.ReleaseInconclusive), true, "Asking: release " + name + ": Inconclusive at 5%: why"},
		"succeeded":          {see(made, v1alpha1.ReleaseSucceeded), true, "Succeeded: release " + name + ": Succeeded at 5%: why" + outputs},
		"went back":          {see(made, v1alpha1.ReleaseRolledBack), true, "Failed: release " + name + ": RolledBack at 5%: why" + outputs},
		"deleted":            {saw(made, watched, pipeline.ReleaseSeen{Missing: true}), true, "Failed: release " + name + " was deleted" + outputs},
		"end while making":   {mustEnd(with(in, pipeline.CreateRelease, nil)), false, "Running: does not see release " + name + " yet [release/abort]"},
		"end, refused":       {mustEnd(none), false, "Failed: release is not made: no such application"},
		"end, not seen":      {mustEnd(made), true, "Running: does not see release " + name + " yet [release/abort]"},
		"end":                {mustEnd(see(made, v1alpha1.ReleaseInconclusive)), true, "Running: release " + name + ": Inconclusive at 5%: why [release/abort]"},
		"ending, not known":  {see(aborting, v1alpha1.ReleaseProgressing), true, "Running: release " + name + ": Progressing at 5%: why [release/abort]"},
		"ending":             {see(aborted, v1alpha1.ReleaseRollingBack), true, "Running: release " + name + ": RollingBack at 5%: why"},
		"ending is refused":  {see(stuck, v1alpha1.ReleaseProgressing), true, "Running: release " + name + " cannot be ended: forbidden"},
		"ended":              {see(aborted, v1alpha1.ReleaseRolledBack), true, "Cancelled: release " + name + ": RolledBack at 5%: why" + outputs},
		"ended, too late":    {see(aborted, v1alpha1.ReleaseSucceeded), true, "Succeeded: release " + name + ": Succeeded at 5%: why" + outputs},
		"end, there is none": {mustEnd(saw(made, watched, pipeline.ReleaseSeen{Missing: true})), true, "Cancelled: cancelled by bob; there is no release " + name + outputs},
	} {
		t.Run(what, func(t *testing.T) {
			want(t, shift{}.Next(c.in), c.want)
			looks := shift{}.Looks(c.in)
			if (len(looks) == 1) != c.looks || c.looks && (looks[0].Kind != pipeline.SeeRelease || dataOf[pipeline.Child](t, looks[0].Data).Name != name) {
				t.Errorf("%+v", looks)
			}
		})
	}
	act := shift{}.Next(in).Act
	if work := dataOf[pipeline.ReleaseWork](t, act.Data); !act.Safe || work.Name != name || work.Application != "reviews" || work.Version != "v2" {
		t.Errorf("%+v", work)
	}
	in.Run.Application = ""
	want(t, shift{}.Next(in), "Failed: neither the stage nor its pipeline names an application")
}

func TestPipeline(t *testing.T) {
	in := input(t, &v1alpha1.PipelineStage{Name: "test", Parameters: map[string]v1alpha1.Value{"v": "${params.version}"}})
	in.Run.Parents = []string{"all/all-1"}
	name := pipeline.ChildName(in.Run, "a", 1)
	act := call{}.Next(in).Act
	work := dataOf[pipeline.RunWork](t, act.Data)
	if act.Kind != pipeline.CreateRun || !act.Safe || work.Name != name || work.Pipeline != "test" || work.Parameters["v"] != "v2" ||
		!slices.Equal(work.Parents, []string{"all/all-1", "ship/ship-1"}) {
		t.Errorf("%+v", work)
	}
	if work.Trigger.Type != "pipeline" || work.Trigger.By != "alice" || work.Trigger.ID != "u/a/1" || work.Trigger.Facts["commit"] != "c0ffee" {
		t.Errorf("%+v", work.Trigger)
	}
	made := with(in, pipeline.CreateRun, done)
	see := func(in pipeline.StageInput, phase v1alpha1.RunPhase, why string) pipeline.StageInput {
		return saw(in, watched, pipeline.RunSeen{Phase: phase, Why: why})
	}
	end := ` {"run":"` + name + `"}`
	want(t, call{}.Next(see(made, v1alpha1.RunAsking, "ask: ok?")), "Running: run "+name+": Asking: ask: ok?")
	want(t, call{}.Next(see(made, v1alpha1.RunSucceeded, "")), "Succeeded: run "+name+": Succeeded"+end)
	want(t, call{}.Next(see(made, v1alpha1.RunCancelled, "by bob")), "Failed: run "+name+": Cancelled: by bob"+end)
	want(t, call{}.Next(mustEnd(see(made, v1alpha1.RunRunning, "b"))), "Running: run "+name+": Running: b [run/cancel]")
	want(t, call{}.Next(mustEnd(see(with(in, pipeline.CancelRun, done), v1alpha1.RunCancelled, "b"))), "Cancelled: run "+name+": Cancelled: b"+end)
	if looks := (call{}).Looks(made); len(looks) != 1 || looks[0].Kind != pipeline.SeeRun {
		t.Errorf("%+v", looks)
	}

	in.Config = &v1alpha1.PipelineStage{Name: "test", NoWait: true}
	want(t, call{}.Next(in), "Running: makes run "+name+" [run/create]")
	want(t, call{}.Next(with(in, pipeline.CreateRun, done)), "Succeeded: started "+name+end)
	for _, circle := range []string{"ship", "all"} {
		in.Config = &v1alpha1.PipelineStage{Name: circle}
		want(t, call{}.Next(in), "Failed: pipeline "+circle+" would call itself: all/all-1, ship/ship-1")
	}
	in.Config = &v1alpha1.PipelineStage{Name: "test"}
	in.Run.Parents = slices.Repeat([]string{"x/y"}, 10)
	if out := (call{}).Next(in); out.Phase != pipeline.Failed || out.Act != nil {
		t.Error(shown(out))
	}
}

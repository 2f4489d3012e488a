package stage

import (
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

func TestUndoStage(t *testing.T) {
	in := input(t, &v1alpha1.UndoStage{Reason: "carts are empty"})
	name := pipeline.ChildName(in.Run, "a", 1)
	wantLook(t, undo{}.Looks(in), earlier)
	want(t, undo{}.Next(in), "Running: does not see yet what served before")
	want(t, undo{}.Next(saw(in, earlier, pipeline.EarlierSeen{Refused: "nothing served before"})), "Failed: nothing served before")
	want(t, undo{}.Next(mustEnd(in)), "Cancelled: cancelled by bob")
	out := undo{}.Next(saw(in, earlier, pipeline.EarlierSeen{Version: "v1"}))
	want(t, out, "Running: makes release "+name+" [release/create]")
	again := with(in, pipeline.CreateRelease, nil)
	again.Memory = out.Memory
	if work := dataOf[pipeline.ReleaseWork](t, undo{}.Next(again).Act.Data); work.Version != "v1" {
		t.Errorf("when it was killed it goes to %+v", work)
	}
	work := dataOf[pipeline.ReleaseWork](t, out.Act.Data)
	if work.Name != name || work.Application != "reviews" || work.Version != "v1" || !work.Undo || work.Reason != "carts are empty" || work.By != "alice" || len(work.Groups) != 1 {
		t.Errorf("%+v", work)
	}
	ended := saw(with(in, pipeline.CreateRelease, done), watched, pipeline.ReleaseSeen{Phase: v1alpha1.ReleaseSucceeded, Weight: 100})
	ended.Memory = out.Memory
	want(t, undo{}.Next(ended), `Succeeded: release `+name+`: Succeeded at 100% {"application":"reviews","release":"`+name+`","version":"v1"}`)
	if looks := (undo{}).Looks(ended); len(looks) != 1 || looks[0].Kind != pipeline.SeeRelease {
		t.Errorf("%+v", looks)
	}
	in = input(t, &v1alpha1.UndoStage{To: "${params.version}"})
	if work := dataOf[pipeline.ReleaseWork](t, undo{}.Next(in).Act.Data); work.Version != "v2" || work.Reason != "stage a of run ship-1" {
		t.Errorf("%+v", work)
	}
	in = input(t, &v1alpha1.UndoStage{To: "v1", Routes: true, Config: true})
	if work := dataOf[pipeline.ReleaseWork](t, undo{}.Next(in).Act.Data); !work.Routes || !work.Config {
		t.Errorf("%+v", work)
	}
	name = nameOf(in)
	ended = saw(with(in, pipeline.CreateRelease, done), watched, pipeline.ReleaseSeen{Phase: v1alpha1.ReleaseSucceeded, Weight: 100})
	ended.Open.Result = &pipeline.Result{OK: true, Data: encode(pipeline.ReleaseMade{Stays: "ConfigMap shop/texts is not put back: no"})}
	want(t, undo{}.Next(ended), `Failed: release `+name+`: Succeeded at 100%; ConfigMap shop/texts is not put back: no {"application":"reviews","release":"`+name+`","version":"v1"}`)
	in.Run.Application = ""
	want(t, undo{}.Next(in), "Failed: neither the stage nor its pipeline names an application")
}

func TestEnable(t *testing.T) {
	in := input(t, &v1alpha1.EnableStage{Version: "v2"})
	out := enable{}.Next(in)
	want(t, out, "Running: makes release "+nameOf(in)+" [release/create]")
	if work := dataOf[pipeline.ReleaseWork](t, out.Act.Data); work.Version != "v2" || work.Undo || work.Strategy.Type != v1alpha1.BlueGreen {
		t.Errorf("%+v", work)
	}
}

func TestDisable(t *testing.T) {
	in := input(t, &v1alpha1.DisableStage{Version: "v2"})
	has := func(pairs ...v1alpha1.VersionWeight) pipeline.StageInput {
		return saw(in, shares, pipeline.TrafficSeen{Shares: pairs})
	}
	v1, v2, v3 := v1alpha1.VersionWeight{Version: "v1", Weight: 20}, v1alpha1.VersionWeight{Version: "v2", Weight: 50}, v1alpha1.VersionWeight{Version: "v3", Weight: 30}
	begun := with(in, pipeline.CreateRelease, done)
	begun.Memory = encode(heir{"v3"})
	for what, c := range map[string]struct {
		in   pipeline.StageInput
		want string
	}{
		"not seen": {in, "Running: does not see the traffic yet"},
		"none":     {has(v1, v3), "Succeeded: reviews v2 has no traffic"},
		"alone":    {has(v2), "Failed: no other version of reviews has traffic: enable one, or release it"},
		"no split": {has(), "Failed: no other version of reviews has traffic: enable one, or release it"},
		"shared":   {has(v1, v2, v3), "Running: makes release " + nameOf(in) + " [release/create]"},
		"end":      {mustEnd(has(v1, v2)), "Cancelled: cancelled by bob"},
		"ended": {saw(begun, watched, pipeline.ReleaseSeen{Phase: v1alpha1.ReleaseSucceeded}),
			`Succeeded: release ` + nameOf(in) + `: Succeeded at 0% {"application":"reviews","release":"` + nameOf(in) + `","version":"v3"}`},
	} {
		t.Run(what, func(t *testing.T) { want(t, disable{}.Next(c.in), c.want) })
	}
	out := disable{}.Next(has(v1, v2, v3))
	if work := dataOf[pipeline.ReleaseWork](t, out.Act.Data); work.Version != "v3" || string(out.Memory) != `{"version":"v3"}` {
		t.Errorf("%+v %s", work, out.Memory)
	}
	wantLook(t, disable{}.Looks(in), shares)
	if looks := (disable{}).Looks(begun); len(looks) != 1 || looks[0].Kind != pipeline.SeeRelease {
		t.Errorf("%+v", looks)
	}
}

package stage

import (
	"testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

type versionsSeen = map[string]instances.Seen

var (
	split = pipeline.TrafficSeen{Shares: []v1alpha1.VersionWeight{{Version: "v1", Weight: 100}, {Version: "v2"}}}
	bad   = &pipeline.Result{Text: "no runs"}
)

// blinded is what a look that failed found.
func blinded(in pipeline.StageInput, key string) pipeline.StageInput {
	in.Facts = map[string]pipeline.Fact{key: {At: noon, Err: "refused"}}
	return in
}

func TestOrders(t *testing.T) {
	scaled := func(n string) pipeline.StageInput {
		return input(t, &v1alpha1.ScaleStage{Version: "${params.version}", Replicas: n})
	}
	restarted, deleted := input(t, &v1alpha1.RestartStage{Version: "v2"}), input(t, &v1alpha1.DeleteStage{Version: "v2"})
	first := input(t, &v1alpha1.DeleteStage{Version: "v1"})
	nameless := scaled("3")
	nameless.Run.Application = ""
	told := with(scaled("3"), "instances/scale", done)
	seen := func(in pipeline.StageInput, s instances.Seen) pipeline.StageInput {
		return saw(in, after, versionsSeen{"v2": s})
	}
	is := func(n string) string { return ` {"application":"reviews","replicas":` + n + `,"version":"v2"}` }
	for what, c := range map[string]struct {
		kind  pipeline.Stage
		in    pipeline.StageInput
		looks string
		want  string
	}{
		"scale":              {scale{}, scaled("${'3'}"), "", "Running: scale of reviews v2 [instances/scale]"},
		"scale, not known":   {scale{}, with(scaled("3"), "instances/scale", nil), "", "Running: scale of reviews v2 [instances/scale]"},
		"no number":          {scale{}, scaled("many"), "", `Failed: replicas: "many" is no number of instances`},
		"none":               {scale{}, scaled("-1"), "", `Failed: replicas: "-1" is no number of instances`},
		"nothing said":       {scale{}, scaled(""), "", "Failed: replicas: say how many instances, such as 3"},
		"no application":     {scale{}, nameless, "", "Failed: neither the stage nor its pipeline names an application"},
		"refused":            {scale{}, with(scaled("3"), "instances/scale", bad), after, "Failed: no runs"},
		"not seen":           {scale{}, blinded(told, after), after, "Running: does not see the instances yet refused"},
		"of before":          {scale{}, seen(told, instances.Seen{Wanted: 2, Running: 2, Ready: 2}), after, "Running: reviews v2: 2 of 2 instances are ready"},
		"growing":            {scale{}, seen(told, instances.Seen{Wanted: 3, Running: 3, Ready: 2, Why: "no room"}), after, "Running: reviews v2: 2 of 3 instances are ready: no room"},
		"shrinking":          {scale{}, seen(told, instances.Seen{Wanted: 3, Running: 5, Ready: 5}), after, "Running: reviews v2: 5 of 3 instances are ready, 2 more end"},
		"scaled":             {scale{}, seen(told, instances.Seen{Wanted: 3, Running: 3, Ready: 3}), after, "Succeeded: reviews v2: 3 of 3 instances are ready" + is("3")},
		"hopeless":           {scale{}, seen(told, instances.Seen{Wanted: 3, Running: 3, Ready: 2, Why: "quota", Failed: true}), after, "Failed: reviews v2: 2 of 3 instances are ready: quota"},
		"end":                {scale{}, mustEnd(told), after, "Cancelled: cancelled by bob; scale of reviews v2 is not taken back"},
		"to 0, not seen":     {scale{}, scaled("0"), shares, "Running: does not see the traffic yet"},
		"to 0":               {scale{}, saw(scaled("0"), shares, split), shares, "Running: scale of reviews v2 [instances/scale]"},
		"restart":            {restart{}, restarted, "", "Running: restart of reviews v2 [instances/restart]"},
		"restarting":         {restart{}, seen(with(restarted, "instances/restart", done), instances.Seen{Wanted: 2, Running: 4, Ready: 2}), after, "Running: reviews v2: 2 of 2 instances are ready, 2 more end"},
		"restarted":          {restart{}, seen(with(restarted, "instances/restart", done), instances.Seen{Wanted: 2, Running: 2, Ready: 2}), after, "Succeeded: reviews v2: 2 of 2 instances are ready" + is("2")},
		"delete, not seen":   {remove{}, blinded(deleted, shares), shares, "Running: does not see the traffic yet refused"},
		"delete with share":  {remove{}, saw(first, shares, split), shares, "Failed: reviews v1 has 100% of the traffic: release another version first"},
		"delete, no split":   {remove{}, saw(deleted, shares, pipeline.TrafficSeen{}), shares, "Failed: reviews has no TrafficSplit, so that each version that runs has traffic: release one of them first"},
		"delete":             {remove{}, saw(deleted, shares, split), shares, "Running: delete of reviews v2 [instances/delete]"},
		"delete, not known":  {remove{}, with(deleted, "instances/delete", nil), "", "Running: delete of reviews v2 [instances/delete]"},
		"deleting":           {remove{}, seen(with(deleted, "instances/delete", done), instances.Seen{Running: 1}), after, "Running: reviews v2: 0 of 0 instances are ready, 1 more end"},
		"deleted":            {remove{}, saw(with(deleted, "instances/delete", done), after, versionsSeen{}), after, "Succeeded: reviews v2: 0 of 0 instances are ready" + is("0")},
		"end before a start": {remove{}, mustEnd(saw(deleted, shares, split)), shares, "Cancelled: cancelled by bob"},
	} {
		t.Run(what, func(t *testing.T) {
			want(t, c.kind.Next(c.in), c.want)
			wantLook(t, c.kind.Looks(c.in), c.looks)
		})
	}
	if work := dataOf[instances.Work](t, scale{}.Next(scaled("3")).Act.Data); work.Application != "reviews" || work.Version != "v2" || work.Replicas != 3 {
		t.Errorf("%+v", work)
	}
}

// wantLook wants one look by its key, or none.
func wantLook(t *testing.T, looks []pipeline.Look, key string) {
	t.Helper()
	kind := map[string]string{before: instances.See, after: instances.See, shares: pipeline.SeeTraffic, earlier: pipeline.SeeEarlier}
	if key == "" && len(looks) == 0 {
		return
	}
	if len(looks) != 1 || looks[0].Key != key || looks[0].Kind != kind[key] || dataOf[instances.Question](t, looks[0].Data).Application != "reviews" {
		t.Errorf("%+v, want %q", looks, key)
	}
}

func TestDeploy(t *testing.T) {
	in := input(t, &v1alpha1.DeployStage{Version: "${params.version}", Image: "shop@sha256:1", Replicas: "2", Manifests: "a: ${params.version}"})
	some := versionsSeen{"v1": {Wanted: 2, Running: 2, Ready: 2}}
	told := with(in, "instances/deploy", done)
	ready := saw(told, after, versionsSeen{"v2": {Wanted: 2, Running: 2, Ready: 2, Image: "shop@sha256:2"}})
	stored := with(in, pipeline.CreateVersion, done)
	stored.Memory = encode(deployed{Image: "shop@sha256:2", Replicas: 2})
	anew := mustEnd(told)
	anew.Memory = encode(deployed{Had: true})
	for what, c := range map[string]struct {
		in    pipeline.StageInput
		looks string
		want  string
	}{
		"first":           {in, before, "Running: does not see the instances yet"},
		"nobody runs it":  {blinded(in, before), before, "Running: does not see the instances yet refused"},
		"start":           {saw(in, before, some), before, "Running: deploy of reviews v2 [instances/deploy]"},
		"not known yet":   {with(in, "instances/deploy", nil), "", "Running: deploy of reviews v2 [instances/deploy]"},
		"refused":         {with(in, "instances/deploy", bad), after, "Failed: no runs"},
		"not seen":        {saw(told, after, some), after, "Running: reviews v2: 0 of 0 instances are ready"},
		"what was before": {saw(told, before, versionsSeen{"v2": {Wanted: 2, Ready: 2}}), after, "Running: does not see the instances yet"},
		"comes up":        {saw(told, after, versionsSeen{"v2": {Wanted: 2, Running: 2, Ready: 1}}), after, "Running: reviews v2: 1 of 2 instances are ready"},
		"never will":      {saw(told, after, versionsSeen{"v2": {Wanted: 2, Running: 2, Why: "exits 1", Failed: true}}), after, "Failed: reviews v2: 0 of 2 instances are ready: exits 1"},
		"ready":           {ready, after, "Running: reviews v2 is ready; it is recorded [version/create]"},
		"not recorded":    {with(in, pipeline.CreateVersion, bad), "", "Failed: no runs"},
		"recorded":        {stored, "", `Succeeded: reviews v2: 2 instances are ready {"application":"reviews","image":"shop@sha256:2","replicas":2,"version":"v2"}`},
		"end":             {mustEnd(told), after, "Running: delete of reviews v2 [instances/delete]"},
		"end of a start":  {mustEnd(with(in, "instances/deploy", nil)), "", "Running: delete of reviews v2 [instances/delete]"},
		"end, refused":    {mustEnd(with(in, "instances/deploy", bad)), after, "Cancelled: cancelled by bob; reviews v2 was not started: no runs"},
		"end, recording":  {mustEnd(with(in, pipeline.CreateVersion, nil)), "", "Running: delete of reviews v2 [instances/delete]"},
		"end, it ran":     {anew, after, "Cancelled: cancelled by bob; reviews v2 ran before, and is left as it is now"},
		"ending":          {mustEnd(with(in, "instances/delete", nil)), "", "Running: delete of reviews v2 [instances/delete]"},
		"ended":           {mustEnd(with(in, "instances/delete", done)), "", "Cancelled: cancelled by bob; reviews v2 is deleted again"},
		"not ended":       {mustEnd(with(in, "instances/delete", bad)), "", "Cancelled: cancelled by bob; reviews v2 cannot be deleted: no runs"},
		"end, too late":   {mustEnd(stored), "", `Succeeded: reviews v2: 2 instances are ready {"application":"reviews","image":"shop@sha256:2","replicas":2,"version":"v2"}`},
	} {
		t.Run(what, func(t *testing.T) {
			want(t, deploy{}.Next(c.in), c.want)
			wantLook(t, deploy{}.Looks(c.in), c.looks)
		})
	}
	out := deploy{}.Next(saw(in, before, versionsSeen{"v2": {}}))
	work := dataOf[instances.Work](t, out.Act.Data)
	if !out.Act.Safe || string(out.Memory) != `{"had":true}` || work.Replicas != 2 || work.Image != "shop@sha256:1" || work.Manifests != "a: v2" {
		t.Errorf("%s %+v", out.Memory, work)
	}
	record := dataOf[pipeline.VersionWork](t, deploy{}.Next(ready).Act.Data)
	if record.Application != "reviews" || record.Version != "v2" || record.Run != "ship-1" || record.Image != "shop@sha256:2" || record.Manifests != "a: v2" {
		t.Errorf("%+v", record)
	}
}

func TestDeployFrom(t *testing.T) {
	in := input(t, &v1alpha1.DeployStage{Version: "v2", From: "bake"})
	const none = "Failed: from: there is no stage bake before this one that has an output manifests: name it in after, too"
	want(t, deploy{}.Next(in), none)
	for text, outputs := range map[string]map[string]any{
		none: {"manifests": []any{}},
		"Failed: from: output manifests of stage bake has 7, which is no name of a Blob": {"manifests": []any{7}},
		"Running: deploy of reviews v2 [instances/deploy]":                               {"manifests": []any{"b-1", "b-2"}},
	} {
		in.Env["stages"] = map[string]any{"bake": map[string]any{"outputs": outputs}}
		out := deploy{}.Next(saw(in, before, versionsSeen{}))
		want(t, out, text)
		if out.Act != nil {
			if work := dataOf[instances.Work](t, out.Act.Data); len(work.Blobs) != 2 || work.Blobs[1] != "b-2" {
				t.Errorf("%+v", work)
			}
		}
	}
}

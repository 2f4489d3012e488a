package stage

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

func TestRunJob(t *testing.T) {
	in := input(t, &v1alpha1.RunJobStage{Manifest: "tag: ${params.version}", OutputsFrom: "log", Container: "a", Deadline: &metav1.Duration{Duration: time.Minute}})
	name := nameOf(in)
	made, unknown := with(in, pipeline.CreateJob, done), with(in, pipeline.CreateJob, nil)
	unknown.Open.Unknown = true
	seen := func(in pipeline.StageInput, s pipeline.JobSeen) pipeline.StageInput { return saw(in, watched, s) }
	ending := func(r *pipeline.Result, end jobEnd) pipeline.StageInput {
		in := with(in, pipeline.DeleteJob, r)
		in.Memory = encode(end)
		return in
	}
	good := jobEnd{Phase: pipeline.Succeeded, Why: "fine", Outputs: encode(map[string]string{"a": "b"})}
	cut := jobEnd{Phase: pipeline.Cancelled, Why: "cancelled by bob"}
	for what, c := range map[string]struct {
		in    pipeline.StageInput
		looks bool
		want  string
	}{
		"first":             {in, false, "Running: makes Job NAME [objects/job]"},
		"under way":         {with(in, pipeline.CreateJob, nil), false, "Running: makes Job NAME [objects/job]"},
		"refused":           {with(in, pipeline.CreateJob, bad), false, "Failed: Job is not made: no runs"},
		"not seen":          {made, true, "Running: does not see Job NAME yet"},
		"blind":             {blinded(made, watched), true, "Running: does not see Job NAME yet refused"},
		"runs":              {seen(made, pipeline.JobSeen{Why: "it runs"}), true, "Running: Job NAME: it runs"},
		"gone":              {seen(made, pipeline.JobSeen{Missing: true}), true, "Failed: Job NAME was deleted"},
		"complete":          {seen(made, pipeline.JobSeen{Ended: true}), true, "Running: Job NAME is complete [objects/job-delete]"},
		"failed":            {seen(made, pipeline.JobSeen{Ended: true, Failed: true, Why: "exit code 3"}), true, "Running: Job NAME failed: exit code 3 [objects/job-delete]"},
		"deleting":          {ending(nil, good), false, "Running: fine [objects/job-delete]"},
		"deleted":           {ending(done, good), true, `Succeeded: fine {"a":"b"}`},
		"stays":             {ending(bad, good), false, `Succeeded: fine; it stays: no runs {"a":"b"}`},
		"end":               {mustEnd(in), false, "Cancelled: cancelled by bob"},
		"end, making":       {mustEnd(with(in, pipeline.CreateJob, nil)), false, "Running: cancelled by bob; Job NAME is deleted [objects/job-delete]"},
		"end, perhaps made": {mustEnd(unknown), true, "Running: cancelled by bob; Job NAME is deleted [objects/job-delete]"},
		"end, runs":         {mustEnd(seen(made, pipeline.JobSeen{Why: "it runs"})), true, "Running: cancelled by bob; Job NAME is deleted [objects/job-delete]"},
		"end, too late":     {mustEnd(ending(done, good)), true, `Succeeded: fine {"a":"b"}`},
		"end, pods end":     {mustEnd(seen(ending(done, cut), pipeline.JobSeen{Why: "it runs"})), true, "Running: waits until the pods of Job NAME have ended"},
		"ended":             {mustEnd(seen(ending(done, cut), pipeline.JobSeen{Missing: true})), true, "Cancelled: cancelled by bob"},
	} {
		t.Run(what, func(t *testing.T) {
			want(t, runJob{}.Next(c.in), strings.ReplaceAll(c.want, "NAME", name))
			looks := runJob{}.Looks(c.in)
			if len(looks) == 1 != c.looks || c.looks && (looks[0].Kind != pipeline.SeeJob || dataOf[pipeline.JobLook](t, looks[0].Data) != pipeline.JobLook{Name: name, Container: "a", OutputsFrom: "log"}) {
				t.Errorf("%+v", looks)
			}
		})
	}
	act := runJob{}.Next(in).Act
	if w := dataOf[pipeline.JobWork](t, act.Data); !act.Safe || w != (pipeline.JobWork{Name: name, Manifest: "tag: v2", Deadline: 60}) {
		t.Errorf("%+v %+v", act, w)
	}
	end := dataOf[jobEnd](t, runJob{}.Next(seen(made, pipeline.JobSeen{Ended: true, Log: "l", Outputs: map[string]string{"rows": "7"}})).Memory)
	if end.Phase != pipeline.Succeeded || string(end.Outputs) != `{"job":"`+name+`","log":"l","rows":"7"}` {
		t.Errorf("%+v %s", end, end.Outputs)
	}
}

func TestJobOfImage(t *testing.T) {
	j, err := jobOf(&v1alpha1.RunJobStage{
		Image: "i", Command: []string{"sh"}, Args: []string{"-c", "true"}, ServiceAccount: "s",
		Env: []v1alpha1.JobVariable{{Name: "A", Value: "1"}, {Name: "B", SecretKey: "db/password"}},
	})
	const want = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"job"},"spec":{"template":{"spec":{"containers":[{"args":["-c","true"],"command":["sh"],` +
		`"env":[{"name":"A","value":"1"},{"name":"B","valueFrom":{"secretKeyRef":{"key":"password","name":"db"}}}],"image":"i","name":"job"}],"restartPolicy":"Never","serviceAccountName":"s"}}}}`
	if err != nil || j.manifest != want {
		t.Errorf("%s %v", j.manifest, err)
	}
	for want, c := range map[string]v1alpha1.RunJobStage{
		"a manifest or an image, one":     {Manifest: "a", Image: "b"},
		"one of them":                     {},
		"go with an image":                {Manifest: "a", Args: []string{"b"}},
		"is less than a second":           {Image: "a", Deadline: &metav1.Duration{Duration: time.Millisecond}},
		`image: "a b" is none`:            {Image: "a b"},
		"manifest: it has 65537 bytes":    {Manifest: strings.Repeat("a", maxJob+1)},
		"env A: give a value":             {Image: "a", Env: []v1alpha1.JobVariable{{Name: "A", SecretKey: "db"}}},
		"env A: give a value, or as secr": {Image: "a", Env: []v1alpha1.JobVariable{{Name: "A", Value: "a", SecretKey: "db/b"}}},
	} {
		if _, err := jobOf(&c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestJobOnce: a crash at any point makes no second Job, a run that is cancelled ends its own, and a later attempt makes another one.
func TestJobOnce(t *testing.T) {
	s := newStory(t, v1alpha1.Stage{Name: "job", RunJob: &v1alpha1.RunJobStage{Image: "i"}})
	s.next()
	if len(s.last.Actions) != 1 || s.last.Actions[0].Kind != pipeline.CreateJob {
		t.Fatalf("%+v", s.last.Actions)
	}
	first := s.last.Actions[0]
	s.in.Lost = []string{first.ID}
	s.next()
	if again := s.last.Actions; len(again) != 1 || again[0].ID != first.ID || string(again[0].Data) != string(first.Data) || !again[0].At.Equal(first.At) {
		t.Fatalf("after a crash: %+v, want %+v", again, first)
	}
	s.in.Lost, s.in.Results = nil, []pipeline.Result{{ID: first.ID, OK: true}}
	s.next()
	if len(s.last.Actions) != 0 || len(s.last.Looks) != 1 {
		t.Fatalf("%+v %+v", s.last.Actions, s.last.Looks)
	}
	s.in.Cancel = "deleted"
	s.next()
	if len(s.last.Actions) != 1 || s.last.Actions[0].Kind != pipeline.DeleteJob {
		t.Fatalf("%+v", s.last.Actions)
	}
	s.in.Results = []pipeline.Result{{ID: s.last.Actions[0].ID, OK: true}}
	s.next()
	s.in.Facts[s.last.Looks[0].Key] = pipeline.Fact{At: noon, Data: encode(pipeline.JobSeen{Missing: true})}
	s.next().want("Cancelled job=Cancelled")
}

package guard

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

func TestRoles(t *testing.T) {
	roles := application(func(r *v1alpha1.Rails) {
		r.Roles = v1alpha1.Roles{Release: []string{"dev"}, Approve: []string{"qa"}, Undo: []string{"oncall"}, Freeze: []string{"lead"}}
	})
	groups := map[string]Person{
		"dev": {"dan", []string{"dev"}}, "qa": {"quinn", []string{"x", "qa"}}, "oncall": {"olga", []string{"oncall"}},
		"lead": {"lea", []string{"lead"}}, "admin": {"admin", []string{masters}}, "nobody": {"", nil}, "cron": {"weft:cron", nil},
	}
	for right, may := range map[Right]string{
		MayRelease: "dev admin cron", MayApprove: "qa admin cron", MayUndo: "dev oncall admin cron", MayFreeze: "lead admin cron",
	} {
		for who, person := range groups {
			why := Refuses(roles, right, person)
			if want := strings.Contains(may, who); (why == "") != want {
				t.Errorf("%s: %s may: %v: %s", right, who, !want, why)
			}
			if why := Refuses(application(func(*v1alpha1.Rails) {}), right, person); why != "" {
				t.Errorf("without roles: %s", why)
			}
		}
	}
}

func TestRunsOfPeople(t *testing.T) {
	type trigger = v1alpha1.TriggerFact
	strict := func(r *v1alpha1.Rails) {
		r.FourEyes = true
		r.Roles = v1alpha1.Roles{Release: []string{"dev"}, Approve: []string{"dev", "qa"}}
	}
	dan, quinn := []string{"dev"}, []string{"qa"}
	for _, test := range []struct {
		name     string
		trigger  trigger
		decision pipeline.Decision
		begins   bool
		counts   bool
	}{
		{"another one judges", trigger{By: "dan", Groups: dan}, pipeline.Decision{Verb: "judge", By: "quinn", Groups: quinn}, true, true},
		{"who started it", trigger{By: "dan", Groups: dan}, pipeline.Decision{Verb: "judge", By: "dan", Groups: dan}, true, false},
		{"who wrote the commit", trigger{Type: "git", Facts: map[string]v1alpha1.Value{pipeline.Author: "dan"}}, pipeline.Decision{Verb: "judge", By: "dan", Groups: dan}, true, false},
		{"as triggers name themselves", trigger{Type: "git", By: pipeline.NoPerson + "git"}, pipeline.Decision{Verb: "judge", By: "quinn", Groups: quinn}, true, true},
		{"who did not", trigger{Type: "git", Facts: map[string]v1alpha1.Value{pipeline.Author: "eve"}}, pipeline.Decision{Verb: "judge", By: "dan", Groups: dan}, true, true},
		{"nobody knows who", trigger{Type: "git"}, pipeline.Decision{Verb: "judge", By: "dan", Groups: dan}, true, false},
		{"nobody at all", trigger{}, pipeline.Decision{Verb: "judge"}, false, false},
		{"another role starts", trigger{By: "quinn", Groups: quinn}, pipeline.Decision{Verb: "retry", By: "quinn", Groups: quinn}, false, false},
		{"skip", trigger{By: "dan", Groups: dan}, pipeline.Decision{Verb: "skip", By: "dan", Groups: dan}, true, true},
		{"cancel by another role", trigger{By: "dan", Groups: dan}, pipeline.Decision{Verb: "cancel", By: "quinn", Groups: quinn}, true, false},
		{"cancel by weft", trigger{By: "dan", Groups: dan}, pipeline.Decision{Verb: "cancel"}, true, true},
	} {
		o := &v1alpha1.PipelineRun{Spec: v1alpha1.PipelineRunSpec{Trigger: test.trigger}}
		r := Run{Rails{Application: application(strict)}, o, &v1alpha1.PipelineSpec{}, noon}
		if why := r.Begin(); (why == "") != test.begins {
			t.Errorf("%s: begins: %v: %s", test.name, !test.begins, why)
		}
		if why := r.Object(test.decision); (why == "") != test.counts {
			t.Errorf("%s: counts: %v: %s", test.name, !test.counts, why)
		}
		r.Application = nil
		if why := r.Begin() + r.Object(test.decision); why != "" {
			t.Errorf("%s: without an application: %s", test.name, why)
		}
	}
}

// A release begins by its application's roles, whatever pipeline it is of; once begun it needs none.
func TestHold(t *testing.T) {
	r := Rails{Application: application(func(r *v1alpha1.Rails) { r.Roles.Release = []string{"dev"} })}
	rel := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{By: "quinn", Groups: []string{"qa"}}}
	if why := r.Hold(rel, "", noon); !strings.Contains(why, "quinn is in none of the groups that may release") {
		t.Error(why)
	}
	rel.Status.Phase = v1alpha1.ReleaseProgressing
	if why := r.Hold(rel, "", noon); why != "" {
		t.Error(why)
	}
	r.Freezes = []*v1alpha1.Freeze{{Spec: v1alpha1.FreezeSpec{Except: []string{"dev"}}}}
	if why := r.Hold(rel, "", noon); !strings.Contains(why, "frozen") {
		t.Error(why)
	}
	rel.Spec.Groups = []string{"dev"}
	if why := r.Hold(rel, "", noon); why != "" {
		t.Error(why)
	}
}

// Where anybody may write any name, none counts: no exception from a freeze, no role.
func TestUnvouched(t *testing.T) {
	r := Rails{Application: application(func(r *v1alpha1.Rails) { r.Roles.Release = []string{"dev"} }), Unvouched: "install the policy"}
	for _, by := range []string{"dan", "weft:cron", ""} {
		rel := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{By: by, Groups: []string{"dev", masters}}}
		o := &v1alpha1.PipelineRun{Spec: v1alpha1.PipelineRunSpec{Trigger: v1alpha1.TriggerFact{Type: "cron", By: by, Groups: rel.Spec.Groups}}}
		run := Run{Rails: r, Of: o, Spec: &v1alpha1.PipelineSpec{}, Now: noon}
		retry := pipeline.Decision{Verb: pipeline.Retry, By: by, Groups: rel.Spec.Groups}
		for what, why := range map[string]string{"release": r.Hold(rel, "", noon), "run": run.Begin(), "retry": run.Object(retry)} {
			if !strings.Contains(why, "nobody vouches") {
				t.Errorf("%s of %q: %q", what, by, why)
			}
		}
		run.Freezes = []*v1alpha1.Freeze{{Spec: v1alpha1.FreezeSpec{Except: []string{"dev"}}}}
		if gate := run.Gate(&v1alpha1.Stage{Release: &v1alpha1.ReleaseStage{}}); gate.Open {
			t.Errorf("%q passes a freeze", by)
		}
	}
}

// Where names are true only since a while, what is older names nobody: neither who judges, nor who started what is judged.
func TestVouchedSince(t *testing.T) {
	before, after := metav1.NewTime(noon.Add(-time.Second)), metav1.NewTime(noon)
	for _, test := range []struct {
		name          string
		unvouched     string
		run, decision metav1.Time
		want          string
	}{
		{"both are true", "", after, after, ""},
		{"a decision from before", "", after, before, "written before 2026-11-27T12:00:00Z"},
		{"a run from before", "", before, after, "who started the run: it was written before"},
		{"nobody vouches at all", "there is no policy: weft install", after, after, "there is no policy: weft install"},
	} {
		o := &v1alpha1.PipelineRun{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: test.run}, Spec: v1alpha1.PipelineRunSpec{Trigger: v1alpha1.TriggerFact{By: "dan"}}}
		r := Run{Rails{Unvouched: test.unvouched, Since: noon}, o, &v1alpha1.PipelineSpec{}, noon}
		why := r.Object(pipeline.Decision{Verb: pipeline.Judge, By: "quinn", Made: test.decision.Time})
		if (why == "") != (test.want == "") || !strings.Contains(why, test.want) {
			t.Errorf("%s: %q", test.name, why)
		}
		if why := r.Object(pipeline.Decision{Verb: pipeline.Cancel, By: "quinn", Made: test.decision.Time}); why != "" {
			t.Errorf("%s: nobody may cancel: %s", test.name, why)
		}
	}
}

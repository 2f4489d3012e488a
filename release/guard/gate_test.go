package guard

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC) // a Friday

func application(edit func(*v1alpha1.Rails)) *v1alpha1.Application {
	a := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"}}
	edit(&a.Spec.Rails)
	return a
}

func TestFreeze(t *testing.T) {
	soon, past := metav1.NewTime(noon.Add(time.Hour)), metav1.NewTime(noon.Add(-time.Hour))
	production := application(func(r *v1alpha1.Rails) { r.Environment = "production" })
	for _, test := range []struct {
		name   string
		freeze v1alpha1.FreezeSpec
		app    *v1alpha1.Application
		open   bool
		until  time.Time
	}{
		{"everything", v1alpha1.FreezeSpec{}, nil, false, time.Time{}},
		{"until", v1alpha1.FreezeSpec{Until: &soon}, nil, false, soon.Time},
		{"it is over", v1alpha1.FreezeSpec{Until: &past}, nil, true, time.Time{}},
		{"it comes", v1alpha1.FreezeSpec{From: &soon}, nil, true, time.Time{}},
		{"it ends now", v1alpha1.FreezeSpec{Until: &metav1.Time{Time: noon}}, nil, true, time.Time{}},
		{"its groups go", v1alpha1.FreezeSpec{Except: []string{"oncall", "qa"}}, nil, true, time.Time{}},
		{"others do not", v1alpha1.FreezeSpec{Except: []string{"oncall"}}, nil, false, time.Time{}},
		{"this namespace", v1alpha1.FreezeSpec{Namespaces: []string{"shop"}}, nil, false, time.Time{}},
		{"another namespace", v1alpha1.FreezeSpec{Namespaces: []string{"bank"}}, nil, true, time.Time{}},
		{"another namespace's application", v1alpha1.FreezeSpec{Namespaces: []string{"bank"}, Applications: []string{"checkout"}}, nil, true, time.Time{}},
		{"this application", v1alpha1.FreezeSpec{Applications: []string{"cart", "checkout"}}, nil, false, time.Time{}},
		{"another application", v1alpha1.FreezeSpec{Applications: []string{"cart"}}, nil, true, time.Time{}},
		{"this environment", v1alpha1.FreezeSpec{Environments: []string{"production"}}, production, false, time.Time{}},
		{"no environment", v1alpha1.FreezeSpec{Environments: []string{"production"}}, nil, true, time.Time{}},
	} {
		test.freeze.Reason, test.freeze.By = "black friday", "ann"
		r := Rails{Freezes: []*v1alpha1.Freeze{{ObjectMeta: metav1.ObjectMeta{Name: "f"}, Spec: test.freeze}}, Application: test.app}
		gate := r.Gate(Work{Namespace: "shop", Application: "checkout", Groups: []string{"dev", "qa"}}, noon)
		if gate.Open != test.open || !gate.Until.Equal(test.until) {
			t.Errorf("%s: %+v", test.name, gate)
		}
		if !gate.Open && !strings.HasPrefix(gate.Why, "frozen by ann (f): black friday") {
			t.Errorf("%s: it says %q", test.name, gate.Why)
		}
	}
}

// All that name windows have to be open; a freeze holds also in them.
func TestGate(t *testing.T) {
	open, closed := in("UTC", "11:00-13:00"), in("UTC", "14:00-15:00")
	r := Rails{Application: application(func(r *v1alpha1.Rails) { r.Windows = []v1alpha1.Window{closed, open} })}
	w := Work{Windows: map[string][]v1alpha1.Window{"pipeline ship": {open}, "stage call": nil}}
	if gate := r.Gate(w, noon); !gate.Open {
		t.Errorf("%+v", gate)
	}
	w.Windows["stage call"] = []v1alpha1.Window{closed}
	gate := r.Gate(w, noon)
	if want := "outside of the windows of stage call (14:00-15:00 UTC): opens 2026-11-27T14:00:00Z"; gate.Open || gate.Why != want || !gate.Until.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("%+v, want %s", gate, want)
	}
	w.Windows["stage call"] = nil
	r.Application.Spec.Windows = []v1alpha1.Window{closed}
	if gate := r.Gate(w, noon); gate.Open || !strings.Contains(gate.Why, "application checkout") {
		t.Errorf("%+v", gate)
	}
	r.Application.Spec.Windows = nil
	r.Freezes = []*v1alpha1.Freeze{{}}
	if gate := r.Gate(w, noon); gate.Open {
		t.Errorf("%+v", gate)
	}
}

func TestActs(t *testing.T) {
	for want, stages := range map[bool][]v1alpha1.Stage{
		true: {
			{Release: &v1alpha1.ReleaseStage{}}, {Webhook: &v1alpha1.WebhookStage{}}, {Webhook: &v1alpha1.WebhookStage{Method: "DELETE"}}, {},
			{Patch: &v1alpha1.PatchStage{}}, {RunJob: &v1alpha1.RunJobStage{}}, {Scale: &v1alpha1.ScaleStage{}}, {Restart: &v1alpha1.RestartStage{}}, {Delete: &v1alpha1.DeleteStage{}},
		},
		false: {
			{Wait: &v1alpha1.WaitStage{}}, {Judgment: &v1alpha1.JudgmentStage{}}, {Webhook: &v1alpha1.WebhookStage{Method: "GET"}},
			{Pipeline: &v1alpha1.PipelineStage{}}, {Notify: &v1alpha1.NotifyStage{}}, {FindArtifact: &v1alpha1.FindArtifactStage{}},
		},
	} {
		for _, s := range stages {
			if kind, _ := pipeline.KindOf(&s); Acts(&s) != want {
				t.Errorf("%s acts: %v", kind, !want)
			}
		}
	}
}

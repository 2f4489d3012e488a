package web

import (
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// runAt is a run that began some minutes after noon; one that has ended did at once.
func runAt(of, name string, phase v1alpha1.RunPhase, minutes int, stages ...v1alpha1.StageStatus) Run {
	at := noon.Add(time.Duration(minutes) * time.Minute)
	o := &v1alpha1.PipelineRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, CreationTimestamp: metav1.Time{Time: at}},
		Spec:       v1alpha1.PipelineRunSpec{Pipeline: of}, Status: v1alpha1.PipelineRunStatus{Phase: phase, Stages: stages, Why: "why " + name},
	}
	if phase == v1alpha1.RunSucceeded || phase == v1alpha1.RunFailed {
		o.Status.Ended = &metav1.MicroTime{Time: at}
	}
	return RunOf(o)
}

func shipping(runs ...Run) Mesh {
	var all []Pipeline
	for _, name := range []string{"asks", "failed", "idle", "old", "runs"} {
		all = append(all, PipelineOf(&v1alpha1.Pipeline{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.PipelineSpec{Application: "of-" + name}}))
	}
	return Mesh{Pipelines: func() []Pipeline { return all }, Runs: func() []Run { return runs }}
}

// What waits for a person is first, also where a newer run went well; what nobody ran is last.
func TestPipelines(t *testing.T) {
	mesh := shipping(
		runAt("asks", "a-1", v1alpha1.RunAsking, 1, v1alpha1.StageStatus{Name: "sure", Phase: "Asking"}), runAt("asks", "a-2", v1alpha1.RunSucceeded, 9),
		runAt("failed", "f-1", v1alpha1.RunFailed, 8), runAt("failed", "f-0", v1alpha1.RunSucceeded, 2),
		runAt("old", "o-1", v1alpha1.RunFailed, 1), runAt("old", "o-2", v1alpha1.RunSucceeded, 3),
		runAt("runs", "r-1", v1alpha1.RunRunning, 2),
	)
	for query, want := range map[string][]string{
		"":                     {"asks warn a-2", "runs changing r-1", "failed bad f-1", "old ok o-2", "idle idle -"},
		"?search=of-f&limit=1": {"failed bad f-1"},
	} {
		answer, err := pipelines(mesh, httptest.NewRequest("GET", "/"+query, nil))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range answer.(Pipelines).Pipelines {
			newest := "-"
			if len(p.Runs) > 0 {
				newest = p.Runs[0].Name
			}
			got = append(got, p.Name+" "+string(p.State)+" "+newest)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}

// A question is news as long as it waits, a failure while it is new.
func TestNewsOfRuns(t *testing.T) {
	mesh := shipping(
		runAt("asks", "a-1", v1alpha1.RunAsking, -600), runAt("failed", "f-1", v1alpha1.RunFailed, -1), runAt("failed", "f-0", v1alpha1.RunFailed, -600),
		runAt("runs", "r-1", v1alpha1.RunRunning, -1), runAt("old", "o-1", v1alpha1.RunSucceeded, -1),
	)
	want := []Attention{
		{Warn, "a-1 waits for a person: why a-1", "runs/shop/a-1"},
		{Bad, "f-1 failed: why f-1", "runs/shop/f-1"},
	}
	if got := newsOfRuns(mesh, noon); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A stage says in one line what it does, each comes after those that it waits for, and a ring of them is drawn, too.
func TestGraph(t *testing.T) {
	got := graphOf(&v1alpha1.PipelineSpec{Stages: []v1alpha1.Stage{
		{Name: "last", After: []string{"jar"}, Release: &v1alpha1.ReleaseStage{Application: "reviews", Version: "${params.v}"}},
		{Name: "jar", Variables: &v1alpha1.VariablesStage{Set: []v1alpha1.Variable{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}}},
		{Name: "ring", After: []string{"ring"}, Wait: &v1alpha1.WaitStage{For: "1s"}},
	}})
	want := []Stage{
		{Name: "jar", Kind: "variables", Summary: "a b", After: []string{}, OnFailure: "fail"},
		{Name: "last", Kind: "release", Summary: "reviews ${params.v}", After: []string{"jar"}, OnFailure: "fail"},
		{Name: "ring", Kind: "wait", Summary: "1s", After: []string{"ring"}, OnFailure: "fail"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// Each kind of stage that there is says what it does: none is forgotten here.
func TestTelling(t *testing.T) {
	stage := reflect.TypeFor[v1alpha1.Stage]()
	for i := range stage.NumField() {
		f := stage.Field(i)
		if f.Type.Kind() != reflect.Pointer || f.Type.Elem().PkgPath() != stage.PkgPath() {
			continue
		}
		kind, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if len(telling[kind]) == 0 {
			t.Errorf("stages of kind %s say nothing of themselves", kind)
		}
		for _, path := range telling[kind] {
			if !hasField(f.Type.Elem(), strings.Split(path, ".")) {
				t.Errorf("stages of kind %s have no field %s", kind, path)
			}
		}
	}
}

// hasField reports whether a type has a path of JSON names, also in the elements of lists.
func hasField(t reflect.Type, path []string) bool {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if len(path) == 0 {
		return t.Kind() == reflect.String
	}
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); name == path[0] {
			return hasField(t.Field(i).Type, path[1:])
		}
	}
	return false
}

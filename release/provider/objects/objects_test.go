package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/pin"
	"weft.dev/release/pipeline"
	"weft.dev/release/provider/versions"
)

// shelf is objects in memory.
type shelf[T any] struct {
	objects map[string]*T
	patches []string
	fault   error // of the next create
	after   error // of the next create, which happens
}

func newShelf[T any]() *shelf[T] { return &shelf[T]{objects: map[string]*T{}} }

func (s *shelf[T]) Get(_ context.Context, namespace, name string) (*T, error) {
	if o, ok := s.objects[namespace+"/"+name]; ok {
		return o, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{}, name)
}

func (s *shelf[T]) Create(_ context.Context, o *T) (*T, error) {
	meta := any(o).(metav1.Object)
	key := meta.GetNamespace() + "/" + meta.GetName()
	fault, after := s.fault, s.after
	if s.fault, s.after = nil, nil; fault != nil {
		return nil, fault
	}
	if s.objects[key] != nil {
		return nil, apierrors.NewAlreadyExists(schema.GroupResource{}, meta.GetName())
	}
	s.objects[key] = o
	return o, after
}

func (s *shelf[T]) Patch(_ context.Context, _, namespace, name string, patch []byte) (*T, error) {
	o, err := s.Get(context.Background(), namespace, name)
	if err == nil {
		s.patches = append(s.patches, name+" "+string(patch))
	}
	return o, err
}

func action(id, kind string, data any) pipeline.Action {
	text, _ := json.Marshal(data)
	return pipeline.Action{ID: id, Kind: kind, Data: text}
}

func look(kind, name string) pipeline.Look {
	text, _ := json.Marshal(pipeline.Child{Name: name})
	return pipeline.Look{Kind: kind, Data: text}
}

type world interface {
	Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error)
	Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error)
}

func wantDone(t *testing.T, w world, a pipeline.Action) {
	t.Helper()
	if result, err := w.Do(t.Context(), "shop", a); err != nil || !result.OK || result.ID != a.ID {
		t.Errorf("%s: %+v %v", a.Kind, result, err)
	}
}

func wantRefused(t *testing.T, w world, a pipeline.Action, text string) {
	t.Helper()
	if result, err := w.Do(t.Context(), "shop", a); err != nil || result.OK || result.ID != a.ID || !strings.Contains(result.Text, text) {
		t.Errorf("%s: %+v %v", a.Kind, result, err)
	}
}

func wantSeen(t *testing.T, w world, l pipeline.Look, want string) {
	t.Helper()
	if fact, err := w.Observe(t.Context(), "shop", l); err != nil || string(fact.Data) != want {
		t.Errorf("%s: %s %v", l.Kind, fact.Data, err)
	}
}

func TestReleases(t *testing.T) {
	all := newShelf[v1alpha1.Release]()
	w := Releases{All: all}
	make := action("u/s/1/1", pipeline.CreateRelease, pipeline.ReleaseWork{Name: "r", Application: "reviews", Version: "v2"})
	wantSeen(t, w, look(pipeline.SeeRelease, "r"), `{"missing":true}`)
	all.after = errors.New("the answer got lost")
	if _, err := w.Do(t.Context(), "shop", make); err == nil {
		t.Error("an answer that got lost was taken for one")
	}
	wantDone(t, w, make)
	wantDone(t, w, make)
	made := all.objects["shop/r"]
	if len(all.objects) != 1 || made.Spec.Application != "reviews" || made.Spec.Version != "v2" {
		t.Errorf("%+v", all.objects)
	}
	wantRefused(t, w, action("other/s/1/1", pipeline.CreateRelease, pipeline.ReleaseWork{Name: "r"}), "did not make it")
	made.Status = v1alpha1.ReleaseStatus{Phase: v1alpha1.ReleaseRolledBack, Weight: 5, Why: "worse"}
	wantSeen(t, w, look(pipeline.SeeRelease, "r"), `{"phase":"RolledBack","weight":5,"why":"worse"}`)
	wantDone(t, w, action("u/s/1/2", pipeline.AbortRelease, pipeline.Child{Name: "r"}))
	wantDone(t, w, action("u/s/1/3", pipeline.AbortRelease, pipeline.Child{Name: "gone"}))
	if len(all.patches) != 1 || all.patches[0] != `r {"spec":{"abort":true}}` {
		t.Errorf("%q", all.patches)
	}
}

// TestReleasesRestore: an undo that puts objects back asks first, is made again, and says what stays.
func TestReleasesRestore(t *testing.T) {
	all := newShelf[v1alpha1.Release]()
	may, asked := "mallory may not", ""
	var before, after error
	w := Releases{
		All: all,
		May: func(_ context.Context, r *v1alpha1.Release) (string, error) { return may, nil },
		Restore: func(_ context.Context, _, application, version string, back pin.Back, begin func() error) error {
			asked = fmt.Sprintf("%s %s %+v", application, version, back)
			return errors.Join(before, begin(), after)
		},
	}
	undo := action("u/s/1/1", pipeline.CreateRelease, pipeline.ReleaseWork{Name: "r", Application: "reviews", Version: "v1", Undo: true, Routes: true})
	wantRefused(t, w, undo, "mallory may not")
	if asked != "" || len(all.objects) > 0 {
		t.Errorf("before it was known who may: %s, %+v", asked, all.objects)
	}
	may = ""
	for name, fault := range map[string]error{"before": apierrors.NewServiceUnavailable("later"), "after": apierrors.NewConflict(schema.GroupResource{}, "x", nil)} {
		if before, after = fault, nil; name == "after" {
			before, after = nil, errors.Join(apierrors.NewForbidden(schema.GroupResource{}, "y", nil), fault)
		}
		if result, err := w.Do(t.Context(), "shop", undo); err == nil {
			t.Errorf("%s: %+v: what may go well the next time is no result", name, result)
		}
	}
	before, after = nil, errors.Join(apierrors.NewForbidden(schema.GroupResource{Resource: "virtualservices"}, "reviews", nil), versions.ErrUnrecorded)
	result, err := w.Do(t.Context(), "shop", undo)
	if err != nil || !result.OK || !strings.Contains(string(result.Data), "is not recorded") || !strings.Contains(string(result.Data), "virtualservices") {
		t.Errorf("%+v %s %v", result, result.Data, err)
	}
	if after = nil; asked != "reviews v1 {Routes:true Config:false Prune:false}" || all.objects["shop/r"].Spec.Version != "v1" {
		t.Errorf("%s; %+v", asked, all.objects["shop/r"].Spec)
	}
	wantDone(t, w, undo)
	wantRefused(t, w, action("other/s/1/1", pipeline.CreateRelease, pipeline.ReleaseWork{Name: "r", Undo: true, Config: true}), "did not make it")
}

func TestRefusals(t *testing.T) {
	all := newShelf[v1alpha1.Release]()
	w := Releases{All: all}
	all.fault = apierrors.NewBadRequest("no version")
	wantRefused(t, w, action("u/s/1/1", pipeline.CreateRelease, pipeline.ReleaseWork{Name: "r"}), "no version")
	wantRefused(t, w, action("u/s/1/1", "release/dance", nil), "nobody does that")
	wantRefused(t, w, pipeline.Action{ID: "u", Kind: pipeline.CreateRelease}, "release/create")
	all.fault = apierrors.NewServiceUnavailable("later")
	if _, err := w.Do(t.Context(), "shop", action("u", pipeline.CreateRelease, pipeline.ReleaseWork{Name: "r"})); err == nil {
		t.Error("an outage is no refusal")
	}
}

func TestRuns(t *testing.T) {
	runs, decisions := newShelf[v1alpha1.PipelineRun](), newShelf[v1alpha1.Decision]()
	w := Runs{runs, decisions}
	make := action("u/s/1/1", pipeline.CreateRun, pipeline.RunWork{
		Name: "child", Pipeline: "test", Parameters: map[string]v1alpha1.Value{"a": "b"},
		Trigger: v1alpha1.TriggerFact{Type: "pipeline", By: "alice"}, Parents: []string{"ship/ship-1"},
	})
	wantSeen(t, w, look(pipeline.SeeRun, "child"), `{"missing":true}`)
	wantDone(t, w, make)
	wantDone(t, w, make)
	made := runs.objects["shop/child"]
	if made.Spec.Pipeline != "test" || made.Spec.Parameters["a"] != "b" || made.Spec.Trigger.By != "alice" || len(made.Spec.Parents) != 1 {
		t.Errorf("%+v", made.Spec)
	}
	made.UID, made.Status.Phase = "child-uid", v1alpha1.RunAsking
	wantSeen(t, w, look(pipeline.SeeRun, "child"), `{"phase":"Asking"}`)
	end := action("u/s/1/2", pipeline.CancelRun, pipeline.Child{Name: "child"})
	wantDone(t, w, end)
	wantDone(t, w, end)
	if d := decisions.objects["shop/child-cancelled"]; len(decisions.objects) != 1 || d.Spec.RunUID != "child-uid" || d.Spec.Verb != "cancel" {
		t.Errorf("%+v", decisions.objects)
	}
	wantDone(t, w, action("u/s/1/3", pipeline.CancelRun, pipeline.Child{Name: "gone"}))
}

// splits are those of a namespace.
type splits []*v1alpha1.TrafficSplit

func (s splits) List(context.Context, string) ([]*v1alpha1.TrafficSplit, error) { return s, nil }

func TestTraffic(t *testing.T) {
	apps := newShelf[v1alpha1.Application]()
	apps.objects["shop/reviews"] = &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Name: "reviews"}, Spec: v1alpha1.ApplicationSpec{Service: "opinions"}}
	apps.objects["shop/ratings"] = &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Name: "ratings"}}
	split := func(service, version string) *v1alpha1.TrafficSplit {
		return &v1alpha1.TrafficSplit{Spec: v1alpha1.TrafficSplitSpec{Service: service, Versions: []v1alpha1.VersionWeight{{Version: version, Weight: 100}}}}
	}
	w := Traffic{apps, splits{split("opinions", "v1"), split("reviews", "v7")}}
	see := func(app string) pipeline.Look {
		return pipeline.Look{Kind: pipeline.SeeTraffic, Data: json.RawMessage(`{"application":"` + app + `"}`)}
	}
	wantSeen(t, w, see("reviews"), `{"shares":[{"version":"v1","weight":100}]}`)
	wantSeen(t, w, see("ratings"), `{}`)
	if _, err := w.Observe(t.Context(), "shop", see("gone")); err == nil {
		t.Error("there is no such application")
	}
	wantRefused(t, w, action("u", "traffic/move", nil), "nobody does that")
}

// TestUndo: a run sees what served before, or is told that there is none, and goes there.
func TestUndo(t *testing.T) {
	all, before := newShelf[v1alpha1.Release](), release.ErrNoEarlier
	w := Releases{All: all, Earlier: func(context.Context, string, string) (string, error) { return "v1", before }}
	look := pipeline.Look{Kind: pipeline.SeeEarlier, Data: []byte(`{"application":"reviews"}`)}
	wantSeen(t, w, look, `{"refused":"nothing served before"}`)
	before = errors.New("timed out")
	if _, err := w.Observe(t.Context(), "shop", look); err == nil {
		t.Error("an outage is no refusal")
	}
	before = nil
	wantSeen(t, w, look, `{"version":"v1"}`)
	wantDone(t, w, action("u/s/1/1", pipeline.CreateRelease, pipeline.ReleaseWork{Name: "r", Application: "reviews", Version: "v0", Undo: true, Reason: "why"}))
	if made := all.objects["shop/r"].Spec; made.Version != "v0" || !made.Undo || made.Reason != "why" {
		t.Errorf("%+v", made)
	}
}

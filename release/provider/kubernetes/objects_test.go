package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/blob"
	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

var (
	noon     = time.Unix(1_700_000_000, 0)
	config   = pipeline.ObjectRef{APIVersion: "v1", Kind: "ConfigMap", Name: "settings"}
	settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: one}"
)

// blobs are what a stage before put manifests into, by name.
type blobs map[string]string

func (b blobs) Get(_ context.Context, _, name string) (*v1alpha1.Blob, error) {
	text, ok := b[name]
	if !ok {
		return nil, fmt.Errorf("there is no Blob %s", name)
	}
	return &v1alpha1.Blob{Spec: v1alpha1.BlobSpec{Data: blob.Pack([]byte(text))}}, nil
}

func act(id, kind string, second int, work any) pipeline.Action {
	text, _ := json.Marshal(work)
	return pipeline.Action{ID: id, Kind: kind, At: noon.Add(time.Duration(second) * time.Second), Data: text}
}

func (p *play) acts(a pipeline.Action) pipeline.Result {
	p.Helper()
	result, err := p.Provider.Objects(blobs{}).Do(p.Context(), namespace, a)
	if err != nil || result.ID != a.ID {
		p.Fatalf("%s: %+v %v", a.Kind, result, err)
	}
	return result
}

func (p *play) acted(a pipeline.Action) {
	p.Helper()
	if result := p.acts(a); !result.OK {
		p.Errorf("%s: %+v", a.Kind, result)
	}
}

func (p *play) sees(ref pipeline.ObjectRef) (s pipeline.ObjectSeen) {
	return p.seesOf(ref)
}

func (p *play) seesOf(ref pipeline.ObjectRef, uids ...string) (s pipeline.ObjectSeen) {
	p.Helper()
	text, _ := json.Marshal(pipeline.ObjectLook{Object: ref, UIDs: uids})
	fact, err := p.Provider.Objects(blobs{}).Observe(p.Context(), namespace, pipeline.Look{Kind: pipeline.SeeObject, Data: text})
	if err != nil || json.Unmarshal(fact.Data, &s) != nil {
		p.Fatalf("%s %v", fact.Data, err)
	}
	return s
}

// labelled is a ConfigMap of the team.
func labelled(name, label string, made time.Time) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("of-" + name), Labels: map[string]string{"app": label}, CreationTimestamp: metav1.NewTime(made)},
		Data:       map[string]string{"a": "one"},
	}
}

func (p *play) configs() string {
	all := map[string]map[string]string{}
	for _, c := range typed[corev1.ConfigMap](p.T, p.cluster, configMaps) {
		all[c.Name] = c.Data
	}
	return asJSON(all)
}

// Each way to patch an object changes it once, also over again and after a later one.
func TestPatch(t *testing.T) {
	p := newPlay(t)
	patch := func(kind, text string) pipeline.ObjectPatch {
		return pipeline.ObjectPatch{Object: config, Type: kind, Patch: json.RawMessage(text)}
	}
	if s := p.sees(config); s.Objects != 0 || s.Ready {
		t.Errorf("%+v", s)
	}
	p.put(t, configMaps, "ConfigMap", labelled("settings", "shop", noon))
	if s := p.sees(config); s.Objects != 1 || !s.Ready {
		t.Errorf("%+v", s)
	}
	for i, one := range []pipeline.ObjectPatch{
		patch("merge", `{"data":{"b":"merge"}}`), patch("strategic", `{"data":{"c":"strategic"}}`),
		patch("json", `[{"op":"add","path":"/data/d","value":"json"}]`), patch("json", `[{"op":"replace","path":"/data/a","value":"two"}]`),
	} {
		a := act(string(rune('a'+i)), pipeline.PatchObject, 2+i, one)
		p.acted(a)
		writes := p.writes
		p.acted(a)
		p.acted(act("early", pipeline.PatchObject, 1, patch("merge", `{"data":{"a":"early"}}`)))
		if p.writes != writes {
			t.Errorf("patch %d was done twice, or one that came before it", i)
		}
	}
	if is, want := p.configs(), `{"settings":{"a":"two","b":"merge","c":"strategic","d":"json"}}`; is != want {
		t.Errorf("%s, want %s", is, want)
	}
}

// What is applied is what the manifests say and what a stage before made, and it tells what to wait for. Where one
// object has no place, none is changed.
func TestObjectsApply(t *testing.T) {
	p := newPlay(t)
	const web = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: good}]}}}\n"
	world := p.Provider.Objects(blobs{"b-1": web, "bad": "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}"})
	do := func(second int, names ...string) pipeline.Result {
		r, err := world.Do(t.Context(), namespace, act(fmt.Sprint("u/", second), pipeline.ApplyObjects, second, pipeline.ObjectsWork{Manifests: settings + "\n", Blobs: names}))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := do(1, "bad"); r.OK || len(typed[corev1.ConfigMap](t, p.cluster, configMaps)) > 0 {
		t.Errorf("%+v, and the ConfigMap before it is there", r)
	}
	r := do(2, "b-1")
	if want := `{"count":2,"wait":[{"apiVersion":"apps/v1","kind":"Deployment","name":"web"}]}`; !r.OK || r.Text != "2 objects applied" || string(r.Data) != want {
		t.Errorf("%+v %s, want %s", r, r.Data, want)
	}
	if _, err := world.Do(t.Context(), namespace, act("u/3", pipeline.ApplyObjects, 3, pipeline.ObjectsWork{Blobs: []string{"gone"}})); err == nil {
		t.Error("applied a Blob that is not there")
	}
}

// What is deleted was there when that was decided, and has the labels.
func TestDelete(t *testing.T) {
	p := newPlay(t)
	p.put(t, configMaps, "ConfigMap", labelled("settings", "shop", noon))
	p.put(t, configMaps, "ConfigMap", labelled("a", "old", noon))
	p.put(t, configMaps, "ConfigMap", labelled("b", "old", noon))
	if r := p.acts(act("u/9", pipeline.DeleteObject, 9, config)); !r.OK || string(r.Data) != `{"uids":["of-settings"]}` {
		t.Errorf("%+v %s", r, r.Data)
	}
	if r := p.acts(act("u/9", pipeline.DeleteObject, 9, config)); !r.OK || string(r.Data) != `{"uids":[]}` {
		t.Errorf("%+v %s", r, r.Data)
	}
	later := labelled("settings", "shop", noon.Add(time.Minute))
	later.UID = "another"
	p.put(t, configMaps, "ConfigMap", later)
	p.acted(act("u/9", pipeline.DeleteObject, 9, config))
	if gone, there := p.seesOf(config, "of-settings"), p.seesOf(config, "another"); gone.Objects != 0 || there.Objects != 1 {
		t.Errorf("what was made later is seen as what was to go: %+v %+v", gone, there)
	}
	old := pipeline.ObjectRef{APIVersion: "v1", Kind: "ConfigMap", Selector: "app=old"}
	if s := p.sees(old); s.Objects != 2 {
		t.Errorf("%+v", s)
	}
	p.acted(act("u/10", pipeline.DeleteObject, 10, old))
	if is, want := p.configs(), `{"settings":{"a":"one"}}`; is != want {
		t.Errorf("%s, want %s", is, want)
	}
	for i := range maxTargets + 1 {
		p.put(t, configMaps, "ConfigMap", labelled(fmt.Sprint("many-", i), "many", noon))
	}
	all := act("u/11", pipeline.DeleteObject, 11, pipeline.ObjectRef{APIVersion: "v1", Kind: "ConfigMap", Selector: "app=many"})
	if result := p.acts(all); result.OK || !strings.Contains(result.Text, "there are 51, and a stage may change 50") {
		t.Errorf("%+v", result)
	}
	if left := len(typed[corev1.ConfigMap](t, p.cluster, configMaps)); left != maxTargets+2 {
		t.Errorf("%d are left", left)
	}
}

var reviewsRef = pipeline.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: "reviews"}

func TestScaleAndRestart(t *testing.T) {
	p := newPlay(t)
	p.put(t, deployments, "Deployment", reviews())
	p.acted(act("u/1", pipeline.ScaleObject, 1, pipeline.ObjectScale{Object: reviewsRef, Replicas: 3}))
	p.passes()
	if s := p.sees(reviewsRef); s.Ready || s.Wanted != 3 || s.Why != "0 of 3 instances are ready" {
		t.Errorf("%+v", s) // no controller of this cluster writes its status
	}
	d := p.deployment()
	d.Status = appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3}
	p.put(t, deployments, "Deployment", d)
	if s := p.sees(reviewsRef); !s.Ready {
		t.Errorf("%+v", s)
	}
	restart := act("u/2", pipeline.RestartObject, 2, pipeline.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Selector: "a notin (b)"})
	p.acted(restart)
	writes := p.writes
	p.acted(restart)
	if d := p.deployment(); p.writes != writes || d.Spec.Template.Annotations[RestartAnnotation] != "u/2" || *d.Spec.Replicas != 3 {
		t.Errorf("%d writes after %d: %+v", p.writes, writes, d.Spec.Template.Annotations)
	}
}

// A workload of which a release goes on, and one that is a version's own, are left alone; of several, then, all are.
func TestNotFree(t *testing.T) {
	p := newPlay(t)
	p.put(t, deployments, "Deployment", reviews())
	own := reviews()
	own.Name, own.UID, own.Labels = "own", "own", map[string]string{ApplicationLabel: "reviews", VersionLabel: "v7"}
	p.put(t, deployments, "Deployment", own)
	p.do(instances.Deploy, "v2", 1)
	writes := p.writes
	of := func(name string) pipeline.ObjectRef {
		return pipeline.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Name: name}
	}
	for want, a := range map[string]pipeline.Action{
		"Deployment reviews: refused: a release of Deploym": act("u", pipeline.ApplyObjects, 1, pipeline.ObjectsWork{Manifests: settings + "\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: reviews}"}),
		"a release of Deployment reviews goes on":           act("u", pipeline.DeleteObject, 1, of("reviews")),
		"reviews goes on: wait for its end":                 act("u", pipeline.PatchObject, 1, pipeline.ObjectPatch{Object: of("reviews"), Patch: json.RawMessage(`{}`)}),
		"Deployment own is of version v7 of reviews":        act("u", pipeline.RestartObject, 1, of("own")),
		"v7 of reviews: name that instead of the object":    act("u", pipeline.DeleteObject, 1, of("own")),
		"own is of version v7 of reviews: name that":        act("u", pipeline.ScaleObject, 1, pipeline.ObjectScale{Object: of("own")}),
		"Deployment reviews goes on: wait for":              act("u", pipeline.ApplyObjects, 1, pipeline.ObjectsWork{Manifests: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: reviews}"}),
		"Deployment own: refused: Deployment own is of":     act("u", pipeline.ApplyObjects, 1, pipeline.ObjectsWork{Manifests: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: own}"}),
		"there is no Deployment lost in namespace shop":     act("u", pipeline.RestartObject, 1, of("lost")),
		"there is no Deployment with app=lost in namespace": act("u", pipeline.RestartObject, 1, pipeline.ObjectRef{APIVersion: "apps/v1", Kind: "Deployment", Selector: "app=lost"}),
	} {
		a.At = time.Now().Add(time.Hour) // after all that was done
		if result := p.acts(a); result.OK || !strings.Contains(result.Text, want) {
			t.Errorf("%+v, want %q", result, want)
		}
	}
	if p.writes != writes {
		t.Error("something was changed")
	}
}

// What nobody may do this way is refused; what may be possible later is an error.
func TestObjectsRefusals(t *testing.T) {
	p := newPlay(t)
	p.put(t, configMaps, "ConfigMap", labelled("settings", "shop", noon))
	nothing := json.RawMessage(`{}`)
	patch := func(apiVersion, kind, name string) pipeline.Action {
		ref := pipeline.ObjectRef{APIVersion: apiVersion, Kind: kind, Name: name}
		return act("u", pipeline.PatchObject, 1, pipeline.ObjectPatch{Object: ref, Patch: nothing})
	}
	writes := p.writes
	for want, a := range map[string]pipeline.Action{
		"nobody does that":              act("u", "objects/dance", 1, nil),
		"is weft's own":                 patch("weft.dev/v1alpha1", "Decision", "yes"),
		"make it first":                 patch("v1", "ConfigMap", "lost"),
		"give a name or a selector":     patch("v1", "ConfigMap", ""),
		"of the whole cluster":          patch("v1", "Namespace", "shop"),
		"neither sees nor changes":      patch("v1", "Secret", "weft-authority"),
		"Secret weft-authority: a run":  act("u", pipeline.ApplyObjects, 1, pipeline.ObjectsWork{Manifests: "apiVersion: v1\nkind: Secret\nmetadata: {name: weft-authority}"}),
		"no matches for kind \"Dance\"": patch("v1", "Dance", "settings"),
		"give strategic, merge":         act("u", pipeline.PatchObject, 1, pipeline.ObjectPatch{Object: config, Type: "x", Patch: nothing}),
		"cannot unmarshal":              act("u", pipeline.PatchObject, 1, pipeline.ObjectPatch{Object: config, Type: "json", Patch: nothing}),
		"one object, a Job":             act("u", pipeline.CreateJob, 1, pipeline.JobWork{Name: "a", Manifest: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}"}),
		"objects/patch: unexpected":     {ID: "u", Kind: pipeline.PatchObject},
		"is for namespace elsewhere":    act("u", pipeline.CreateJob, 1, pipeline.JobWork{Name: "a", Manifest: "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, namespace: elsewhere}"}),
	} {
		if result := p.acts(a); result.OK || !strings.Contains(result.Text, want) {
			t.Errorf("%+v, want %q", result, want)
		}
	}
	if p.writes != writes {
		t.Error("something was changed")
	}
	if result, err := (*Provider)(nil).Objects(blobs{}).Do(t.Context(), namespace, act("u", pipeline.PatchObject, 1, nil)); err != nil || result.OK || !strings.Contains(result.Text, "in no cluster") {
		t.Errorf("%+v %v", result, err)
	}
	p.fault = func(clienttesting.Action) error { return apierrors.NewServiceUnavailable("later") }
	if result, err := p.Provider.Objects(blobs{}).Do(t.Context(), namespace, patch("v1", "ConfigMap", "settings")); err == nil || errors.Is(err, instances.ErrRefused) {
		t.Errorf("an outage is no refusal: %+v %v", result, err)
	}
}

// Who may not even make a pod says so.
func TestUnmade(t *testing.T) {
	p := newPlay(t)
	d := reviews()
	d.Status.Conditions = []appsv1.DeploymentCondition{{Type: "ReplicaFailure", Status: corev1.ConditionTrue, Message: "exceeded quota"}}
	p.put(t, deployments, "Deployment", d)
	if seen, err := p.Observe(t.Context(), p.target); err != nil || seen["v1"].Why != "exceeded quota" {
		t.Errorf("%+v %v", seen, err)
	}
}

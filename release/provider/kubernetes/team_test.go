package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"weft.dev/release/instances"
)

// play does actions one after the other.
type play struct {
	*testing.T
	*cluster
	*Provider
	target instances.Target
	seq    int64
}

func newPlay(t *testing.T) *play {
	c := newCluster(t)
	return &play{T: t, cluster: c, Provider: New(c, c.mapper, Options{}), target: reviewsTarget()}
}

func (p *play) action(verb instances.Verb, version string, replicas int) instances.Action {
	p.seq++
	a := instances.Action{ID: fmt.Sprint("a/", p.seq), Seq: p.seq, Verb: verb, Target: p.target, Version: version, Replicas: replicas}
	if verb == instances.Deploy {
		a.Image = "good"
	}
	return a
}

func (p *play) do(verb instances.Verb, version string, replicas int) {
	p.Helper()
	if err := p.Do(p.Context(), p.action(verb, version, replicas)); err != nil {
		p.Fatal(err)
	}
	p.passes()
}

func (p *play) passes() {
	for writes := -1; writes != p.writes; {
		writes = p.writes
		p.pass(p)
	}
}

func (p *play) want(version string, wanted, ready int) {
	p.Helper()
	seen, err := p.Observe(p.Context(), p.target)
	if s := seen[version]; err != nil || s.Wanted != wanted || s.Ready != ready || s.Running != ready {
		p.Errorf("%s: %+v %v, want %d, and %d ready", version, s, err, wanted, ready)
	}
}

func (p *play) deployment() *appsv1.Deployment {
	p.Helper()
	for _, d := range typed[appsv1.Deployment](p, p.cluster, deployments) {
		return d
	}
	p.Fatal("no Deployment")
	return nil
}

// What a release needs is of the time of the release; what stays is an image and a version.
func TestSettleGivesBack(t *testing.T) {
	for name, test := range map[string]struct {
		verb           instances.Verb
		version, image string
	}{
		"new": {instances.Settle, "v2", "good"}, "old": {instances.Settle, "v1", "good1"},
		"delete": {instances.Delete, "v2", "good1"}, "none": {instances.Scale, "v2", "good1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t)
			p.put(t, deployments, "Deployment", reviews())
			p.passes()
			before := p.deployment()
			p.do(instances.Deploy, "v2", 0)
			p.want("v1", 2, 2)
			p.want("v2", 2, 2)
			during := p.deployment()
			if during.Spec.MinReadySeconds == 0 || reflect.DeepEqual(during.Spec.Strategy, before.Spec.Strategy) {
				t.Errorf("nothing holds the old instances: %+v", during.Spec)
			}
			p.do(test.verb, test.version, 0)
			after := p.deployment()
			if c := after.Spec.Template.Spec.Containers[0]; c.Image != test.image {
				t.Errorf("image %s, want %s", c.Image, test.image)
			}
			for _, o := range after.ManagedFields {
				if o.Manager == manager {
					t.Errorf("weft owns %s still", o.FieldsV1)
				}
			}
			after.Spec.Template.Spec.Containers[0].Image, after.Spec.Template.Labels = "good1", before.Spec.Template.Labels
			if was, is := asJSON(before.Spec), asJSON(after.Spec); was != is {
				t.Errorf("it was %s\nand is %s", was, is)
			}
		})
	}
}

func asJSON(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

// A Deployment that recreates, and whose pods say no version, gets both back.
func TestRecreateWithoutVersion(t *testing.T) {
	p := newPlay(t)
	d := reviews()
	d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	delete(d.Spec.Template.Labels, "version")
	p.put(t, deployments, "Deployment", d)
	if err := p.Do(t.Context(), p.action(instances.Deploy, "v2", 1)); err != nil {
		t.Fatal(err)
	}
	if v := p.deployment().Spec.Template.Labels["version"]; v != "v2" {
		t.Errorf("version %q", v)
	}
	if err := p.Do(t.Context(), p.action(instances.Delete, "v2", 0)); err != nil {
		t.Fatal(err)
	}
	after := p.deployment().Spec
	if _, there := after.Template.Labels["version"]; there || after.Strategy.Type != appsv1.RecreateDeploymentStrategyType || after.Strategy.RollingUpdate != nil || after.MinReadySeconds != 0 {
		t.Errorf("%+v", after)
	}
}

// Where nothing runs a deploy has nothing to be beside: a Deployment that may neither add nor miss instances is none to the API server.
func TestDeployToNothing(t *testing.T) {
	p := newPlay(t)
	p.put(t, deployments, "Deployment", reviews())
	p.passes()
	p.do(instances.Scale, "v1", 0)
	p.do(instances.Deploy, "v2", 0)
	p.want("v2", 1, 1)
	p.want("v1", 0, 0)
	if d := p.deployment().Spec; d.MinReadySeconds != 0 {
		t.Errorf("%+v", d)
	}
	p.do(instances.Scale, "v1", 1)
	p.want("v1", 1, 1)
}

// What a node has not said, the template does: a version that is recorded without its image would come back as another one.
func TestImageWithoutDigest(t *testing.T) {
	p := newPlay(t)
	p.put(t, deployments, "Deployment", reviews())
	image := func(version string) string {
		seen, err := p.Observe(t.Context(), p.target)
		if err != nil {
			t.Fatal(err)
		}
		return seen[version].Image
	}
	if got := image("v1"); got != "good1" {
		t.Errorf("v1 has image %q", got)
	}
	p.passes()
	if err := p.Do(t.Context(), p.action(instances.Deploy, "v2", 1)); err != nil {
		t.Fatal(err)
	}
	if got := image("v2"); got != "good" {
		t.Errorf("v2 has image %q", got)
	}
	p.passes()
	if got := image("v2"); got != "registry/good@sha256:1" {
		t.Errorf("v2 has image %q", got)
	}
	p.do(instances.Scale, "v2", 0)
	if got := image("v2"); got != "good" {
		t.Errorf("v2, which can be started again, has image %q", got)
	}
	if err := p.Do(t.Context(), p.own("v3", "good3")); err != nil {
		t.Fatal(err)
	}
	if got := image("v3"); got != "good3" {
		t.Errorf("v3, of its own manifests, has image %q", got)
	}
}

// The autoscaler of the side without traffic takes nothing away while a release goes on.
func TestFloor(t *testing.T) {
	p := newPlay(t)
	p.put(t, deployments, "Deployment", reviews())
	one := int32(1)
	p.put(t, autoscalers, "HorizontalPodAutoscaler", &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "any", UID: "any"},
		Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: &one, MaxReplicas: 9, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "reviews"}},
	})
	least := func() int32 {
		return *typed[autoscalingv2.HorizontalPodAutoscaler](t, p.cluster, autoscalers)[0].Spec.MinReplicas
	}
	p.passes()
	p.do(instances.Deploy, "v2", 0)
	if least() != 2 {
		t.Errorf("minReplicas %d", least())
	}
	p.do(instances.Settle, "v2", 0)
	if least() != 1 {
		t.Errorf("minReplicas %d after it settled", least())
	}
	if err := p.Do(t.Context(), p.action(instances.Scale, "v2", 5)); !errors.Is(err, instances.ErrRefused) || !strings.Contains(err.Error(), "HorizontalPodAutoscaler any") {
		t.Errorf("%v", err)
	}
}

// Whatever request does not arrive, or whose answer gets lost: the action done again ends it.
func TestEachRequest(t *testing.T) {
	var verbs []string
	script := func(p *play, failing int, after bool) (requests int, end string) {
		p.put(p, deployments, "Deployment", reviews())
		p.passes()
		p.fault = func(a clienttesting.Action) error {
			if failing == 0 {
				verbs = append(verbs, a.GetVerb())
			}
			if requests++; requests == failing {
				if after {
					if a, err := withType(a); err == nil {
						p.inner(a) //nolint:errcheck // its answer gets lost
						key, _ := target(a)
						p.writes++
						p.versions[key] = p.writes
					}
				}
				return apierrors.NewServiceUnavailable("later")
			}
			return nil
		}
		for _, a := range []instances.Action{
			p.action(instances.Deploy, "v2", 2), p.action(instances.Scale, "v2", 1), p.action(instances.Settle, "v2", 0),
		} {
			for p.Do(p.Context(), a) != nil {
			}
			fault := p.fault
			p.fault = nil
			p.passes()
			p.fault = fault
		}
		p.fault = nil
		d := p.deployment()
		for _, o := range d.ManagedFields {
			end += o.Manager + " "
		}
		seen, _ := p.Observe(p.Context(), p.target)
		return requests, end + asJSON(d.Spec) + d.Annotations[MemoryAnnotation] + asJSON(seen)
	}
	requests, want := script(newPlay(t), 0, false)
	if requests < 10 {
		t.Fatalf("%d requests", requests)
	}
	for n := 1; n <= requests; n++ {
		for _, after := range []bool{false, true} {
			if after && (verbs[n-1] == "get" || verbs[n-1] == "list") {
				continue
			}
			if _, end := script(newPlay(t), n, after); end != want {
				t.Fatalf("request %d, answer lost %v:\n%s\nwant\n%s", n, after, end, want)
			}
		}
	}
}

// Who read before somebody else wrote changes nothing.
func TestStale(t *testing.T) {
	p := newPlay(t)
	p.put(t, deployments, "Deployment", reviews())
	p.passes()
	if err := p.Do(t.Context(), p.own("v3", "good")); err != nil {
		t.Fatal(err)
	}
	team, _ := p.team(t.Context(), p.target)
	own, _ := p.Provider.own(t.Context(), p.target, "v3")
	early, gone := p.action(instances.Deploy, "v2", 1), p.action(instances.Delete, "v3", 0)
	p.do(instances.Deploy, "v2", 2)
	p.do(instances.Scale, "v3", 1)
	if err := p.changeTeam(t.Context(), *team, early); !apierrors.IsConflict(err) {
		t.Errorf("deploy: %v", err)
	}
	if err := p.changeOwn(t.Context(), own, gone); !apierrors.IsConflict(err) {
		t.Errorf("delete: %v", err)
	}
	p.want("v2", 2, 2)
	p.want("v3", 1, 1)
}

// A StatefulSet's instances are one version's or the other's, from the last one on.
func TestStatefulSet(t *testing.T) {
	p := newPlay(t)
	p.target.Runs.Kubernetes.Kind = statefulSet
	d := reviews()
	three, partition := int32(3), int32(0)
	p.put(t, statefulSets, statefulSet, &appsv1.StatefulSet{
		ObjectMeta: d.ObjectMeta,
		Spec: appsv1.StatefulSetSpec{
			Replicas: &three, Selector: d.Spec.Selector, Template: d.Spec.Template,
			UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: "RollingUpdate", RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: &partition}},
		},
	})
	p.passes()
	p.want("v1", 3, 3)
	p.do(instances.Deploy, "v2", 0)
	p.want("v1", 2, 2)
	p.want("v2", 1, 1)
	p.do(instances.Scale, "v2", 2)
	p.want("v1", 1, 1)
	p.do(instances.Scale, "v1", 2)
	p.want("v2", 1, 1)
	p.do(instances.Delete, "v2", 0)
	p.want("v1", 3, 3)
	p.do(instances.Deploy, "v3", 1)
	p.do(instances.Settle, "v3", 0)
	p.want("v3", 3, 3)
	if s := typed[appsv1.StatefulSet](t, p.cluster, statefulSets)[0]; *s.Spec.UpdateStrategy.RollingUpdate.Partition != 0 {
		t.Errorf("%+v", s.Spec.UpdateStrategy)
	}
}

func TestTeamRefusals(t *testing.T) {
	p := newPlay(t)
	p.put(t, deployments, "Deployment", reviews())
	p.passes()
	wantRefused := func(want string, a instances.Action) {
		t.Helper()
		if err := p.Do(t.Context(), a); !errors.Is(err, instances.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %s: %v, want %q", a.Verb, a.Version, err, want)
		}
	}
	same := p.action(instances.Deploy, "v1", 0)
	same.Image = "other"
	wantRefused("give the new one another version", same)
	wantRefused("is what Deployment shop/reviews runs", p.action(instances.Delete, "v1", 0))
	p.do(instances.Deploy, "v2", 1)
	wantRefused("has v2 beside v1 already", p.action(instances.Deploy, "v3", 1))
	wantRefused("settle or delete one of them", p.action(instances.Restart, "v2", 0))
	other := p.action(instances.Deploy, "v2", 1)
	other.Target.Runs = other.Target.Runs.DeepCopy()
	other.Target.Runs.Kubernetes.Name = "lost"
	wantRefused("there is no Deployment shop/lost", other)
	other.Target.Runs.Kubernetes.Name, other.Target.Runs.Kubernetes.Container = "reviews", "main"
	wantRefused("spec.runs.kubernetes.container", other)
	p.fault = func(a clienttesting.Action) error {
		if a.GetVerb() != "patch" {
			return nil
		}
		return apierrors.NewForbidden(schema.GroupResource{}, "reviews", errors.New("no role"))
	}
	wantRefused("no role", p.action(instances.Scale, "v2", 2))
}

// A pod that cannot start says why; one that may yet start is not given up.
func TestTrouble(t *testing.T) {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "no node has room"}}
	if why, failed := trouble(pod); failed || !strings.Contains(why, "no node has room") {
		t.Errorf("%q %v", why, failed)
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "c", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}}
	pod.Status.Conditions = nil
	if why, failed := trouble(pod); failed || why != "" {
		t.Errorf("%q %v", why, failed)
	}
	pod.Status.ContainerStatuses[0].State.Waiting.Reason = "CrashLoopBackOff"
	if why, failed := trouble(pod); !failed || why != "container c of pod p: CrashLoopBackOff" {
		t.Errorf("%q %v", why, failed)
	}
}

// A Deployment's controller that has not seen a change goes by what was there before: its ReplicaSets are left alone until it has.
func TestControllerBehind(t *testing.T) {
	p := newPlay(t)
	p.put(t, deployments, "Deployment", reviews())
	p.passes()
	p.do(instances.Deploy, "v2", 1)
	behind := func(by int64) {
		d := p.deployment()
		d.Generation, d.Status.ObservedGeneration = 9, 9-by
		p.put(t, deployments, "Deployment", d)
	}
	sets := func() (all []int32) {
		for _, rs := range typed[appsv1.ReplicaSet](t, p.cluster, replicaSets) {
			all = append(all, *rs.Spec.Replicas)
		}
		return all
	}
	behind(1)
	before, a := sets(), p.action(instances.Scale, "v2", 2)
	ctx, stop := context.WithTimeout(t.Context(), 3*followPoll)
	defer stop()
	if err := p.Do(ctx, a); err == nil || !strings.Contains(err.Error(), "has not seen the change yet") {
		t.Errorf("scaled under the eyes of a controller that is behind: %v", err)
	}
	if after := sets(); !slices.Equal(after, before) {
		t.Errorf("ReplicaSets have %v instances, had %v", after, before)
	}
	behind(0)
	if err := p.Do(t.Context(), a); err != nil || slices.Equal(sets(), before) {
		t.Errorf("the same action afterwards: %v; ReplicaSets have %v instances", err, sets())
	}
}

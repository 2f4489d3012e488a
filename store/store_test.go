package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/store"
	"weft.dev/store/serve"
)

const deadline = 30 * time.Second // of anything that a test waits for

// config reaches the one server of this package's tests. Each test has a namespace.
var config *rest.Config

func TestMain(m *testing.M) { os.Exit(withServer(m)) }

func withServer(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weft-store")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	s, err := serve.New(ctx, serve.Options{Dir: dir, Listen: "127.0.0.1:0", Log: slog.Default()})
	if err != nil {
		panic(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	defer func() { stop(); <-done }()
	select {
	case <-s.Ready():
	case err := <-done:
		panic(err)
	}
	config = s.Config()
	return m.Run()
}

// client makes a client and a namespace of the test's own.
func client(t *testing.T) (*store.Client, string) {
	t.Helper()
	c, err := store.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ToLower(t.Name())
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := store.For[corev1.Namespace](c, api.Namespace).Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return c, name
}

// eventually waits for a condition that another goroutine brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func newSplit(namespace, name string, weights ...int32) *v1alpha1.TrafficSplit {
	s := &v1alpha1.TrafficSplit{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: v1alpha1.TrafficSplitSpec{Service: name}}
	for i, w := range weights {
		s.Spec.Versions = append(s.Spec.Versions, v1alpha1.VersionWeight{Version: fmt.Sprintf("v%d", i+1), Weight: w})
	}
	return s
}

func TestResource(t *testing.T) {
	c, ns := client(t)
	ctx := t.Context()
	splits := store.For[v1alpha1.TrafficSplit](c, api.TrafficSplit)
	made, err := splits.Create(ctx, newSplit(ns, "a", 100))
	if err != nil || made.UID == "" || made.Spec.Versions[0].Weight != 100 {
		t.Fatalf("created %+v, %v", made, err)
	}
	if _, err := splits.Create(ctx, newSplit(ns, "a", 100)); !store.IsExists(err) {
		t.Errorf("created twice: %v", err)
	}
	if _, err := splits.Create(ctx, newSplit(ns, "b", 90)); !store.IsInvalid(err) {
		t.Errorf("created with 90%%: %v", err)
	}
	stale := *made
	made.Spec.Versions = newSplit(ns, "a", 90, 10).Spec.Versions
	if made, err = splits.Update(ctx, made); err != nil || made.Generation != 2 {
		t.Fatalf("updated %+v, %v", made, err)
	}
	if _, err := splits.Update(ctx, &stale); !store.IsConflict(err) {
		t.Errorf("updated what had changed: %v", err)
	}
	made.Status.ProblemCount, made.Spec.Service = 3, "ignored"
	if _, err := splits.UpdateStatus(ctx, made); err != nil {
		t.Error(err)
	}
	got, err := splits.Get(ctx, ns, "a")
	if err != nil || got.Status.ProblemCount != 3 || got.Spec.Service != "a" || len(got.Spec.Versions) != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
	if all, err := splits.List(ctx, ns); err != nil || len(all) != 1 {
		t.Errorf("list %v, %v", all, err)
	}
	for range 2 {
		if err := splits.Delete(ctx, ns, "a"); err != nil {
			t.Error(err)
		}
	}
	if _, err := splits.Get(ctx, ns, "a"); !store.IsNotFound(err) {
		t.Errorf("got a deleted one: %v", err)
	}
}

// Of two who change an object that neither found, the one who comes second changes what the other made.
func TestMadeMeanwhile(t *testing.T) {
	c, ns := client(t)
	ctx := t.Context()
	splits := store.For[v1alpha1.TrafficSplit](c, api.TrafficSplit)
	tries := 0
	err := store.RetryOnConflict(func() error {
		tries++
		o, err := splits.Get(ctx, ns, "a")
		if !store.IsNotFound(err) {
			if err == nil {
				o.Spec.Versions = newSplit(ns, "a", 90, 10).Spec.Versions
				_, err = splits.Update(ctx, o)
			}
			return err
		}
		if _, err := splits.Create(ctx, newSplit(ns, "a", 100)); err != nil {
			t.Fatal(err) // the other's
		}
		_, err = splits.Create(ctx, newSplit(ns, "a", 90, 10))
		return err
	})
	if o, wrong := splits.Get(ctx, ns, "a"); err != nil || wrong != nil || tries != 2 || len(o.Spec.Versions) != 2 {
		t.Errorf("after %d tries %+v, %v, %v", tries, o, err, wrong)
	}
}

func TestApplyKeepsWhatOthersOwn(t *testing.T) {
	c, ns := client(t)
	apps := store.For[v1alpha1.Application](c, api.Application)
	mine := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shop"}, Spec: v1alpha1.ApplicationSpec{Owner: "web"}}
	theirs := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shop"}, Spec: v1alpha1.ApplicationSpec{Service: "shop"}}
	if _, err := apps.Apply(t.Context(), "me", mine); err != nil {
		t.Fatal(err)
	}
	if _, err := apps.Apply(t.Context(), "them", theirs); err != nil {
		t.Fatal(err)
	}
	mine.Spec.Owner = "shop-team"
	got, err := apps.Apply(t.Context(), "me", mine)
	if err != nil || got.Spec.Owner != "shop-team" || got.Spec.Service != "shop" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// What is offered changes nothing of what others say, and outlasts it.
func TestOffer(t *testing.T) {
	c, ns := client(t)
	apps := store.For[v1alpha1.Application](c, api.Application)
	info, _ := api.Application.Info()
	offer := func(owner string) {
		t.Helper()
		o := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shop"}, Spec: v1alpha1.ApplicationSpec{Owner: owner}}
		o.APIVersion, o.Kind = info.GVR().GroupVersion().String(), string(api.Application)
		if err := c.OfferObject(t.Context(), "them", info.GVR(), o); err != nil {
			t.Error(err)
		}
	}
	apply := func(spec v1alpha1.ApplicationSpec) {
		t.Helper()
		mine := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shop"}, Spec: spec}
		if _, err := apps.Apply(t.Context(), "me", mine); err != nil {
			t.Error(err)
		}
	}
	web := func(after string) {
		t.Helper()
		if got, err := apps.Get(t.Context(), ns, "shop"); err != nil || got.Spec.Owner != "web" {
			t.Errorf("after %s: %+v, %v", after, got, err)
		}
	}
	offer(strings.Repeat("x", 1000)) // invalid
	apply(v1alpha1.ApplicationSpec{Owner: "web"})
	offer("other")
	web("another offer")
	offer("web")
	apply(v1alpha1.ApplicationSpec{Service: "shop"})
	web("it was let go of")
}

// recorder is a Follower that remembers what is there.
type recorder struct {
	mu   sync.Mutex
	rows map[string]api.Object // nil until the first Replace
}

func (r *recorder) Replace(all []api.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows = map[string]api.Object{}
	for _, o := range all {
		r.rows[o.Key()] = o
	}
}

func (r *recorder) Set(o api.Object) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows[o.Key()] = o
}

func (r *recorder) Delete(namespace, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, o := range r.rows {
		if o.Namespace == namespace && o.Name == name {
			delete(r.rows, key)
		}
	}
}

func (r *recorder) has(key string, holds func(api.Object) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, ok := r.rows[key]
	return ok && holds(o)
}

func TestFollow(t *testing.T) {
	c, ns := client(t)
	splits := store.For[v1alpha1.TrafficSplit](c, api.TrafficSplit)
	made, err := splits.Create(t.Context(), newSplit(ns, "before", 100))
	if err != nil {
		t.Fatal(err)
	}
	var r recorder
	go c.Follow(t.Context(), api.TrafficSplit, &r) //nolint:errcheck // it ends with the test
	key := "TrafficSplit/" + ns + "/before"
	eventually(t, "an object that was there", func() bool {
		return r.has(key, func(o api.Object) bool { return len(o.Spec.(*v1alpha1.TrafficSplitSpec).Versions) == 1 })
	})
	made.Spec.Versions = newSplit(ns, "", 50, 50).Spec.Versions
	if _, err := splits.Update(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a change", func() bool { return r.has(key, func(o api.Object) bool { return o.Generation == 2 }) })
	if err := splits.Delete(t.Context(), ns, "before"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a deletion", func() bool { return !r.has(key, func(api.Object) bool { return true }) })
}

func TestWatch(t *testing.T) {
	c, ns := client(t)
	splits := store.For[v1alpha1.TrafficSplit](c, api.TrafficSplit)
	events := make(chan string, 10)
	go splits.Watch(t.Context(), ns, func(o *v1alpha1.TrafficSplit, deleted bool) { //nolint:errcheck // it ends with the test
		events <- fmt.Sprint(o.Name, o.Generation, deleted)
	})
	made, err := splits.Create(t.Context(), newSplit(ns, "a", 100))
	if err != nil {
		t.Fatal(err)
	}
	made.Spec.Versions = newSplit(ns, "", 50, 50).Spec.Versions
	expect(t, events, "a1 false")
	if _, err := splits.Update(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	expect(t, events, "a2 false")
	if err := splits.Delete(t.Context(), ns, "a"); err != nil {
		t.Fatal(err)
	}
	expect(t, events, "a2 true")
}

// Of an object that is gone no status is kept: of records that is most, and each watch would have one.
func TestWatchKeepsNoStatus(t *testing.T) {
	c, ns := client(t)
	releases := store.For[v1alpha1.Release](c, api.Release)
	events := make(chan string, 10)
	go releases.Watch(t.Context(), ns, func(o *v1alpha1.Release, deleted bool) { //nolint:errcheck // it ends with the test
		events <- fmt.Sprintf("%s of %s, why: %q, deleted: %t", o.Name, o.Spec.Application, o.Status.Why, deleted)
	})
	made, err := releases.Create(t.Context(), &v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "a"}, Spec: v1alpha1.ReleaseSpec{Application: "reviews", Version: "v2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, events, `a of reviews, why: "", deleted: false`)
	made.Status.Phase, made.Status.Why = v1alpha1.ReleasePending, "waiting"
	if _, err := releases.UpdateStatus(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	expect(t, events, `a of reviews, why: "waiting", deleted: false`)
	if err := releases.Delete(t.Context(), ns, "a"); err != nil {
		t.Fatal(err)
	}
	expect(t, events, `a of reviews, why: "", deleted: true`)
}

func expect(t *testing.T, events <-chan string, want string) {
	t.Helper()
	select {
	case got := <-events:
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	case <-time.After(deadline):
		t.Fatalf("no event; want %q", want)
	}
}

// startWriter runs a status writer until the test ends.
func startWriter(t *testing.T, c *store.Client) *store.StatusWriter {
	w := store.NewStatusWriter(c, time.Now, slog.New(slog.NewTextHandler(t.Output(), nil)))
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { w.Run(ctx); close(done) }() //nolint:errcheck // it ends with the test
	t.Cleanup(func() { stop(); <-done })
	return w
}

var twoProblems = []v1alpha1.Problem{
	{Code: "MissingService", Path: "spec.service", Message: `service "x" does not exist`},
	{Code: "NotHonoured", Message: "weft does not do this"},
}

func TestDeleteAll(t *testing.T) {
	c, ns := client(t)
	splits := store.For[v1alpha1.TrafficSplit](c, api.TrafficSplit)
	for name, run := range map[string]string{"a": "r1", "b": "r1", "c": "r2"} {
		split := newSplit(ns, name, 100)
		split.Labels = map[string]string{"run": run}
		if _, err := splits.Create(t.Context(), split); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // also where there is none
		if err := splits.DeleteAll(t.Context(), ns, "run", "r1"); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := splits.List(t.Context(), ns); err != nil || len(left) != 1 || left[0].Name != "c" {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestProblemsOfWeftsKinds(t *testing.T) {
	c, ns := client(t)
	splits := store.For[v1alpha1.TrafficSplit](c, api.TrafficSplit)
	if _, err := splits.Create(t.Context(), newSplit(ns, "a", 100)); err != nil {
		t.Fatal(err)
	}
	w := startWriter(t, c)
	report := store.Report{Kind: api.TrafficSplit, Namespace: ns, Name: "a", Generation: 1, Problems: twoProblems}
	w.Set(report)
	var version string
	eventually(t, "problems in the status", func() bool {
		o, err := splits.Get(t.Context(), ns, "a")
		if err != nil {
			t.Fatal(err)
		}
		version = o.ResourceVersion
		return o.Status.ProblemCount == 2 && o.Status.Problems[0] == twoProblems[0] && o.Status.ObservedGeneration == 1
	})
	// The same again is not written. That it was looked at shows in the other object, which comes after it.
	w.Set(report)
	if _, err := splits.Create(t.Context(), newSplit(ns, "b", 100)); err != nil {
		t.Fatal(err)
	}
	w.Set(store.Report{Kind: api.TrafficSplit, Namespace: ns, Name: "b", Generation: 1, Problems: twoProblems[:1]})
	eventually(t, "the other's status", func() bool {
		o, err := splits.Get(t.Context(), ns, "b")
		return err == nil && o.Status.ProblemCount == 1
	})
	if o, err := splits.Get(t.Context(), ns, "a"); err != nil || o.ResourceVersion != version {
		t.Errorf("an equal status was written: %+v, %v", o, err)
	}
	report.Problems = nil
	w.Set(report)
	eventually(t, "the problems are gone", func() bool {
		o, err := splits.Get(t.Context(), ns, "a")
		return err == nil && o.Status.ProblemCount == 0 && len(o.Status.Problems) == 0
	})
	w.Set(store.Report{Kind: api.TrafficSplit, Namespace: ns, Name: "gone", Problems: twoProblems}) // must harm nobody
}

// virtualService is of Istio's, what this test reads of it.
type virtualService struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              map[string]any `json:"spec"`
	Status            struct {
		Conditions []struct {
			Type               string `json:"type"`
			Status             string `json:"status"`
			Reason             string `json:"reason"`
			Message            string `json:"message"`
			ObservedGeneration any    `json:"observedGeneration"` // Istio has integers and strings
		} `json:"conditions,omitempty"`
	} `json:"status"`
}

func TestProblemsOfIstiosKinds(t *testing.T) {
	c, ns := client(t)
	services := store.For[virtualService](c, api.VirtualService)
	vs := &virtualService{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "a"}, Spec: map[string]any{"hosts": []any{"a"}}}
	if _, err := services.Create(t.Context(), vs); err != nil {
		t.Fatal(err)
	}
	w := startWriter(t, c)
	report := store.Report{Kind: api.VirtualService, Namespace: ns, Name: "a", Generation: 1, Problems: twoProblems}
	w.Set(report)
	condition := func(status, reason, text string) func() bool {
		return func() bool {
			o, err := services.Get(t.Context(), ns, "a")
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range o.Status.Conditions {
				if c.Type == store.Honoured {
					return c.Status == status && c.Reason == reason && strings.Contains(c.Message, text) && fmt.Sprint(c.ObservedGeneration) == "1"
				}
			}
			return false
		}
	}
	eventually(t, "a condition that is false", condition("False", "MissingService", "spec.service: service \"x\" does not exist\nweft does not"))
	report.Problems = nil
	w.Set(report)
	eventually(t, "a condition that is true", condition("True", "Honoured", "Everything"))
}

func TestProblemsOfRoutes(t *testing.T) {
	c, ns := client(t)
	routes := store.For[gatewayv1.HTTPRoute](c, api.HTTPRoute)
	route := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "a"}}
	route.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "web"}, {Name: "internal"}}
	if _, err := routes.Create(t.Context(), route); err != nil {
		t.Fatal(err)
	}
	w := startWriter(t, c)
	report := store.Report{Kind: api.HTTPRoute, Namespace: ns, Name: "a", Generation: 1, Problems: twoProblems}
	parents := func(status metav1.ConditionStatus) func() bool {
		return func() bool {
			o, err := routes.Get(t.Context(), ns, "a")
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range o.Status.Parents {
				if p.ControllerName != store.Controller || p.ParentRef.Name != route.Spec.ParentRefs[i].Name ||
					len(p.Conditions) != 1 || p.Conditions[0].Status != status {
					return false
				}
			}
			return len(o.Status.Parents) == 2
		}
	}
	w.Set(report)
	eventually(t, "a condition for each parent", parents(metav1.ConditionFalse))
	report.Problems = nil
	w.Set(report)
	eventually(t, "conditions that are true", parents(metav1.ConditionTrue))
}

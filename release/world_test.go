package release_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/opinion"
	"weft.dev/release/provider/mesh"
	"weft.dev/test/shelf"
)

// world is the mesh around the stores: traffic follows a split some time after it is written.
type world struct {
	stores       sync.Mutex
	releases     *shelf.Shelf[v1alpha1.Release]
	applications *shelf.Shelf[v1alpha1.Application]
	splits       *shelf.Shelf[v1alpha1.TrafficSplit]
	workloads    *shelf.Shelf[v1alpha1.Workload]
	versions     *shelf.Shelf[v1alpha1.Version]
	blobs        *shelf.Shelf[v1alpha1.Blob]
	crew         *crew
	beside       *team
	frozen       atomic.Bool
	good         atomic.Pointer[float64] // what every query answers; nil: nothing

	mesh     sync.Mutex
	services map[string]*service
	written  map[string]int // split writes by action id
}

// service is the traffic of one service.
type service struct {
	rps      float64
	errors   map[string]float64 // rate by version
	asked    map[string]float64
	failed   map[string]float64
	at       time.Time
	applied  map[string]int32 // shares that proxies have
	next     map[string]int32
	nextGen  int64
	doneGen  int64
	nextFrom time.Time
}

// lag of the proxies behind a write.
const lag = 700 * time.Millisecond

func newWorld() *world {
	w := &world{services: map[string]*service{}, written: map[string]int{}, beside: &team{items: map[string][]byte{}}}
	w.releases = shelf.New[v1alpha1.Release](&w.stores)
	w.applications = shelf.New[v1alpha1.Application](&w.stores)
	w.splits = shelf.New[v1alpha1.TrafficSplit](&w.stores)
	w.workloads = shelf.New[v1alpha1.Workload](&w.stores)
	w.versions = shelf.New[v1alpha1.Version](&w.stores)
	w.blobs = shelf.New[v1alpha1.Blob](&w.stores)
	w.splits.Watch(w.follow)
	w.crew = newCrew(w)
	return w
}

// follow takes a written split into the mesh.
func (w *world) follow(s *v1alpha1.TrafficSplit, deleted bool) {
	w.mesh.Lock()
	defer w.mesh.Unlock()
	if deleted {
		return
	}
	x := w.services[s.Spec.Service]
	x.run(time.Now())
	if s.Generation == x.nextGen {
		return
	}
	x.next, x.nextGen, x.nextFrom = map[string]int32{}, s.Generation, time.Now().Add(lag)
	for _, v := range s.Spec.Versions {
		x.next[v.Version] = v.Weight
	}
}

// wrote counts a write of weft's.
func (w *world) wrote(s *v1alpha1.TrafficSplit) {
	w.mesh.Lock()
	defer w.mesh.Unlock()
	w.written[s.Annotations[mesh.ActionAnnotation]]++
}

// run lets traffic flow until now. Errors are exact shares, so runs differ only in what kills them.
func (x *service) run(now time.Time) {
	for x.at.Before(now) {
		to := now
		if x.doneGen != x.nextGen && x.nextFrom.Before(now) {
			to = x.nextFrom
		}
		for v, weight := range x.applied {
			n := x.rps * float64(weight) / 100 * to.Sub(x.at).Seconds()
			x.asked[v] += n
			x.failed[v] += n * x.errors[v]
		}
		x.at = to
		if x.doneGen != x.nextGen && !x.nextFrom.After(to) {
			x.applied, x.doneGen = x.next, x.nextGen
		}
	}
}

func (w *world) Healthy(t release.Target) map[string]int {
	all := map[string]int{}
	for _, x := range w.workloads.List(t.Namespace) {
		if x.Spec.App == t.Application && x.Status.Health == "Healthy" {
			all[x.Spec.Version]++
		}
	}
	return all
}

func (w *world) Applied(_, name string, generation int64) release.Applied {
	w.mesh.Lock()
	defer w.mesh.Unlock()
	x := w.services[name]
	x.run(time.Now())
	a := release.Applied{Proxies: 3, Known: x.nextGen >= generation}
	if x.doneGen < generation {
		a.Missing = []string{"web-1"}
	}
	return a
}

func (w *world) Traffic(t release.Target) map[string]map[string]release.Counts {
	w.mesh.Lock()
	defer w.mesh.Unlock()
	x := w.services[t.Service]
	x.run(time.Now())
	out := map[string]map[string]release.Counts{}
	for v := range x.asked {
		out[v] = map[string]release.Counts{"": {Requests: uint64(x.asked[v]), Errors: uint64(x.failed[v])}}
	}
	return out
}

func (*world) Routes(release.Target) map[string]map[string]release.Counts { return nil }

// deploy adds an application that serves v2, with v3 running beside it.
func (w *world) deploy(app string, errorRate, rps float64, kind v1alpha1.StrategyType) {
	w.mesh.Lock()
	w.services[app] = &service{
		rps: rps, errors: map[string]float64{"v2": 0.001, "v3": errorRate},
		asked: map[string]float64{}, failed: map[string]float64{}, at: time.Now(), applied: map[string]int32{"v2": 100},
	}
	w.mesh.Unlock()
	a := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: app}}
	a.Spec.Strategy.Type = kind
	a.Spec.Strategy.Analysis.Deadline = &metav1.Duration{Duration: 10 * time.Minute}
	a.Status.Version = "v2"
	if len(w.crew.seen(app)) > 0 {
		a.Spec.Runs = runsHere
		if kind == v1alpha1.Canary || kind == v1alpha1.BlueGreen {
			a.Spec.Strategy.KeepFor = &metav1.Duration{Duration: time.Minute}
		}
	}
	_, errA := w.applications.Create(a)
	for _, version := range []string{"v2", "v3"} {
		if a.Spec.Runs != nil {
			break // they come by themselves
		}
		x := &v1alpha1.Workload{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: app + "-" + version}}
		x.Spec.App, x.Spec.Version, x.Status.Health = app, version, "Healthy"
		_, err := w.workloads.Create(x)
		errA = errors.Join(errA, err)
	}
	if errA != nil {
		panic(errA)
	}
}

func (w *world) release(name, app, version string) {
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	r.Spec.Application, r.Spec.Version = app, version
	if _, err := w.releases.Create(r); err != nil {
		panic(err)
	}
}

// shares of a service as written last.
func (w *world) shares(app string) string {
	s, err := w.splits.Get("shop", app)
	if err != nil {
		return "none"
	}
	return release.FormatVersions(s.Spec.Versions)
}

// hold is release.Options.Hold.
func (w *world) hold(_ context.Context, rel *v1alpha1.Release, _ *v1alpha1.Application) string {
	if w.frozen.Load() && !strings.HasPrefix(rel.Spec.By, "oncall") {
		return "frozen: black friday"
	}
	return ""
}

// objected is release.Options.Object: mallory may nothing.
func objected(_ context.Context, rel *v1alpha1.Release) (abort, promote string) {
	may := func(s *v1alpha1.Signature) string {
		if s != nil && s.By == "mallory" {
			return "mallory may not"
		}
		return ""
	}
	return may(rel.Spec.Aborter), may(rel.Spec.Promoter)
}

// others is release.Options.Others: they answer at once.
func (w *world) others(_ context.Context, _ string, o v1alpha1.Others, about opinion.About) map[string]opinion.Said {
	all := map[string]opinion.Said{}
	for _, q := range o.Queries {
		all["query/"+q.Name] = opinion.Said{At: time.Now(), Value: w.good.Load(), Text: fmt.Sprintf("no data of %+v", about)}
	}
	return all
}

// repeated are the actions that were done more than once.
func (w *world) repeated() (out []string) {
	w.mesh.Lock()
	defer w.mesh.Unlock()
	for id, n := range w.written {
		if n > 1 {
			out = append(out, fmt.Sprintf("%s (%d times)", id, n))
		}
	}
	slices.Sort(out)
	return out
}

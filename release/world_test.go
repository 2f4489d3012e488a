package release_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/provider/mesh"
)

// shelf stores the objects of one kind as an API server does: copies in and out,
// conflicts by resourceVersion, generations, finalizers, a status of its own.
type shelf[T any] struct {
	*sync.Mutex
	items     map[string][]byte
	version   int
	watchers  map[int]func(*T)
	setStatus func(to, from *T)
	spec      func(*T) any
}

func newShelf[T any](mu *sync.Mutex, spec func(*T) any, setStatus func(to, from *T)) *shelf[T] {
	return &shelf[T]{Mutex: mu, items: map[string][]byte{}, watchers: map[int]func(*T){}, spec: spec, setStatus: setStatus}
}

func meta[T any](o *T) metav1.Object { return any(o).(metav1.Object) }

func path(namespace, name string) string { return namespace + "/" + name }

func (s *shelf[T]) load(namespace, name string) (*T, error) {
	raw, ok := s.items[path(namespace, name)]
	if !ok {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: fmt.Sprintf("%T", *new(T))}, path(namespace, name))
	}
	o := new(T)
	if err := json.Unmarshal(raw, o); err != nil {
		panic(err)
	}
	return o, nil
}

// put stores o, or takes it out when nothing holds a deleted object any longer.
func (s *shelf[T]) put(o *T) *T {
	m := meta(o)
	s.version++
	m.SetResourceVersion(strconv.Itoa(s.version))
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	at := path(m.GetNamespace(), m.GetName())
	s.items[at] = raw
	if m.GetDeletionTimestamp() != nil && len(m.GetFinalizers()) == 0 {
		delete(s.items, at)
	}
	stored := new(T)
	if err := json.Unmarshal(raw, stored); err != nil {
		panic(err)
	}
	for _, changed := range s.watchers {
		changed(stored)
	}
	return stored
}

func (s *shelf[T]) create(o *T, now time.Time) (*T, error) {
	s.Lock()
	defer s.Unlock()
	m := meta(o)
	if _, taken := s.items[path(m.GetNamespace(), m.GetName())]; taken {
		return nil, apierrors.NewAlreadyExists(schema.GroupResource{}, m.GetName())
	}
	m.SetGeneration(1)
	m.SetUID(types.UID(fmt.Sprintf("uid-%d", s.version+1)))
	m.SetCreationTimestamp(metav1.NewTime(now))
	return s.put(o), nil
}

// change writes o over the version that it was read at.
func (s *shelf[T]) change(o *T, status bool) (*T, error) {
	s.Lock()
	defer s.Unlock()
	old, err := s.load(meta(o).GetNamespace(), meta(o).GetName())
	if err != nil {
		return nil, err
	}
	if meta(old).GetResourceVersion() != meta(o).GetResourceVersion() {
		return nil, apierrors.NewConflict(schema.GroupResource{}, meta(o).GetName(), errors.New("it was changed meanwhile"))
	}
	if status {
		s.setStatus(old, o)
		return s.put(old), nil
	}
	before, _ := json.Marshal(s.spec(old))
	after, _ := json.Marshal(s.spec(o))
	meta(o).SetGeneration(meta(old).GetGeneration())
	if string(before) != string(after) {
		meta(o).SetGeneration(meta(old).GetGeneration() + 1)
	}
	s.setStatus(o, old)
	return s.put(o), nil
}

func (s *shelf[T]) get(namespace, name string) (*T, error) {
	s.Lock()
	defer s.Unlock()
	return s.load(namespace, name)
}

func (s *shelf[T]) list(namespace string) (out []*T) {
	s.Lock()
	defer s.Unlock()
	for at := range s.items {
		o := new(T)
		if err := json.Unmarshal(s.items[at], o); err != nil {
			panic(err)
		}
		if namespace == "" || meta(o).GetNamespace() == namespace {
			out = append(out, o)
		}
	}
	return out
}

// person changes an object as a person with kubectl edit does.
func (s *shelf[T]) person(namespace, name string, edit func(*T)) {
	for {
		o, err := s.get(namespace, name)
		if err != nil {
			return
		}
		edit(o)
		if _, err = s.change(o, false); !apierrors.IsConflict(err) {
			return
		}
	}
}

func (s *shelf[T]) remove(namespace, name string, now time.Time) {
	s.Lock()
	defer s.Unlock()
	if o, err := s.load(namespace, name); err == nil {
		t := metav1.NewTime(now)
		meta(o).SetDeletionTimestamp(&t)
		s.put(o)
	}
}

// process is one run of weft: a killed one does nothing any more.
type process struct {
	kill   context.CancelFunc
	mu     sync.Mutex
	chance float64 // of being killed at an operation
	random *rand.Rand
	dead   bool
}

var errKilled = errors.New("killed")

// op does one operation on a store, unless the process is killed before it, or after
// it and before the answer.
func op[R any](p *process, do func() (R, error)) (R, error) {
	var none R
	if p.dies() {
		return none, errKilled
	}
	r, err := do()
	if p.dies() {
		return none, errKilled
	}
	return r, err
}

func (p *process) dies() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead && p.random.Float64() < p.chance {
		p.dead = true
		p.kill()
	}
	return p.dead
}

// objects is a shelf as one process reaches it.
type objects[T any] struct {
	*shelf[T]
	p     *process
	wrote func(*T) // after a write of this process took effect
}

func (o objects[T]) Get(_ context.Context, namespace, name string) (*T, error) {
	return op(o.p, func() (*T, error) { return o.get(namespace, name) })
}

func (o objects[T]) List(_ context.Context, namespace string) ([]*T, error) {
	return op(o.p, func() ([]*T, error) { return o.list(namespace), nil })
}

func (o objects[T]) Update(_ context.Context, x *T) (*T, error) {
	return op(o.p, func() (*T, error) { return o.did(o.change(x, false)) })
}

func (o objects[T]) did(x *T, err error) (*T, error) {
	if err == nil && o.wrote != nil {
		o.wrote(x)
	}
	return x, err
}

func (o objects[T]) UpdateStatus(_ context.Context, x *T) (*T, error) {
	return op(o.p, func() (*T, error) { return o.change(x, true) })
}

func (o objects[T]) Create(_ context.Context, x *T) (*T, error) {
	return op(o.p, func() (*T, error) { return o.did(o.create(x, time.Now())) })
}

func (o objects[T]) Watch(ctx context.Context, _ string, changed func(*T, bool)) error {
	o.Lock()
	id := o.version + 1 + len(o.watchers)
	o.watchers[id] = func(x *T) { changed(x, meta(x).GetDeletionTimestamp() != nil && len(meta(x).GetFinalizers()) == 0) }
	o.Unlock()
	for _, x := range o.list("") {
		changed(x, false)
	}
	<-ctx.Done()
	o.Lock()
	delete(o.watchers, id)
	o.Unlock()
	return ctx.Err()
}

// world is the mesh around the stores: traffic follows a split some time after it is written.
type world struct {
	sync.Mutex
	releases     *shelf[v1alpha1.Release]
	applications *shelf[v1alpha1.Application]
	splits       *shelf[v1alpha1.TrafficSplit]
	workloads    *shelf[v1alpha1.Workload]

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
	w := &world{services: map[string]*service{}, written: map[string]int{}}
	w.releases = newShelf(&w.Mutex, func(r *v1alpha1.Release) any { return r.Spec }, func(to, from *v1alpha1.Release) { to.Status = from.Status })
	w.applications = newShelf(&w.Mutex, func(a *v1alpha1.Application) any { return a.Spec }, func(to, from *v1alpha1.Application) { to.Status = from.Status })
	w.splits = newShelf(&w.Mutex, func(s *v1alpha1.TrafficSplit) any { return s.Spec }, func(to, from *v1alpha1.TrafficSplit) { to.Status = from.Status })
	w.workloads = newShelf(&w.Mutex, func(x *v1alpha1.Workload) any { return x.Spec }, func(to, from *v1alpha1.Workload) { to.Status = from.Status })
	w.splits.watchers[-1] = w.follow
	return w
}

// follow takes a written split into the mesh.
func (w *world) follow(s *v1alpha1.TrafficSplit) {
	w.mesh.Lock()
	defer w.mesh.Unlock()
	if s.DeletionTimestamp != nil {
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

func (w *world) Traffic(_, name string) map[string]map[string]release.Counts {
	w.mesh.Lock()
	defer w.mesh.Unlock()
	x := w.services[name]
	x.run(time.Now())
	out := map[string]map[string]release.Counts{}
	for v := range x.asked {
		out[v] = map[string]release.Counts{"": {Requests: uint64(x.asked[v]), Errors: uint64(x.failed[v])}}
	}
	return out
}

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
	_, errA := w.applications.create(a, time.Now())
	for _, version := range []string{"v2", "v3"} {
		x := &v1alpha1.Workload{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: app + "-" + version}}
		x.Spec.App, x.Spec.Version, x.Status.Health = app, version, "Healthy"
		_, err := w.workloads.create(x, time.Now())
		errA = errors.Join(errA, err)
	}
	if errA != nil {
		panic(errA)
	}
}

func (w *world) release(name, app, version string) {
	r := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	r.Spec.Application, r.Spec.Version = app, version
	if _, err := w.releases.create(r, time.Now()); err != nil {
		panic(err)
	}
}

// shares of a service as written last.
func (w *world) shares(app string) string {
	s, err := w.splits.get("shop", app)
	if err != nil {
		return "none"
	}
	return release.FormatVersions(s.Spec.Versions)
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

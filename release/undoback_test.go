package release_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/pin"
	"weft.dev/release/pipeline"
	"weft.dev/release/provider/objects"
	"weft.dev/release/provider/versions"
	"weft.dev/test/shelf"
)

// team is what stands beside an application's versions, as an API server has it: copies in and out, conflicts by
// resourceVersion, a status of its own.
type team struct {
	mu      sync.Mutex
	items   map[string][]byte // by KIND/NAME
	version int
}

func decoded(raw []byte) (o map[string]any) {
	if raw != nil {
		if err := json.Unmarshal(raw, &o); err != nil {
			panic(err)
		}
	}
	return o
}

func metaOf(o map[string]any) map[string]any { return o["metadata"].(map[string]any) }

// store keeps an object as a new version of itself.
func (b *team) store(key string, o map[string]any) {
	b.version++
	metaOf(o)["resourceVersion"] = strconv.Itoa(b.version)
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	b.items[key] = raw
}

// edit is what people do: an object says something else, and nil is deleted.
func (b *team) edit(kind, name string, content map[string]any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := kind + "/" + name
	o := decoded(b.items[key])
	switch {
	case content == nil:
		delete(b.items, key)
		return
	case o == nil:
		o = map[string]any{"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"name": name, "uid": fmt.Sprint("uid-", b.version)}}
	}
	maps.Copy(o, content)
	b.store(key, o)
}

// touch has somebody write the status of an object.
func (b *team) touch(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if o := decoded(b.items[key]); o != nil {
		o["status"] = map[string]any{"touched": b.version}
		b.store(key, o)
	}
}

// all are the objects as they are.
func (b *team) all() map[string]map[string]any {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]map[string]any{}
	for key, raw := range b.items {
		all[key] = decoded(raw)
	}
	return all
}

func (b *team) Get(_ context.Context, kind, _, name string) (map[string]any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return decoded(b.items[kind+"/"+name]), nil
}

func (b *team) List(_ context.Context, kind, _ string) (found []map[string]any, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for key, raw := range b.items {
		if strings.HasPrefix(key, kind+"/") {
			found = append(found, decoded(raw))
		}
	}
	return found, nil
}

// hands are how one process writes them. Before some writes somebody else is faster.
type hands struct {
	*team
	process *shelf.Process
	faster  func() bool
}

func (h hands) Put(_ context.Context, kind string, o map[string]any, there bool) error {
	key := kind + "/" + metaOf(o)["name"].(string)
	_, err := h.write(key, o, there, func() {
		o := decoded(mustJSON(o))
		if old := decoded(h.items[key]); old != nil {
			o["status"] = old["status"]
		} else {
			metaOf(o)["uid"] = fmt.Sprint("uid-", h.version)
		}
		h.store(key, o)
	})
	return err
}

func (h hands) Remove(_ context.Context, kind string, o map[string]any) error {
	key := kind + "/" + metaOf(o)["name"].(string)
	_, err := h.write(key, o, true, func() { delete(h.items, key) })
	return err
}

// write does what a process does to an object, as it read it.
func (h hands) write(key string, o map[string]any, there bool, do func()) (any, error) {
	if h.faster() {
		h.touch(key)
	}
	return shelf.Op(h.process, func() (any, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		old := decoded(h.items[key])
		if (old != nil) != there || old != nil && metaOf(old)["resourceVersion"] != metaOf(o)["resourceVersion"] {
			return nil, apierrors.NewConflict(schema.GroupResource{}, key, errors.New("somebody was faster"))
		}
		do()
		return nil, nil
	})
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// random writes some of what there may be: what leads the application alone, it and others, only others; what its versions
// read, and what they do not.
func (b *team) random(source *rand.Rand) {
	spec := func(hosts ...any) map[string]any {
		return map[string]any{"spec": map[string]any{"hosts": hosts, "says": source.IntN(4)}}
	}
	edit := func(kind, name string, content map[string]any) {
		switch source.IntN(5) {
		case 0:
			b.edit(kind, name, nil)
		case 1, 2:
			b.edit(kind, name, content)
		}
	}
	for _, kind := range pin.RouteKinds() {
		if kind != "Service" {
			edit(kind, "ours", spec("shop"))
			edit(kind, "both", spec("shop.shop.svc", "cart"))
			edit(kind, "theirs", spec("cart"))
		}
	}
	service := spec()
	service["spec"].(map[string]any)["clusterIP"] = fmt.Sprint("10.0.0.", source.IntN(4))
	edit("Service", "shop", service)
	edit("Service", "theirs", spec())
	policy := map[string]any{"selector": map[string]any{"matchLabels": map[string]any{"app": "shop"}}, "says": source.IntN(4)}
	edit("AuthorizationPolicy", "ours", map[string]any{"spec": policy})
	for _, name := range []string{"v2", "v3", "v4", "all", "theirs"} {
		edit("ConfigMap", name, map[string]any{"data": map[string]any{"says": fmt.Sprint(source.IntN(4))}})
		edit("Secret", name, map[string]any{"data": map[string]any{"says": fmt.Sprint(source.IntN(4))}})
	}
	b.edit("Application", "shop", map[string]any{"spec": map[string]any{"owner": source.IntN(4), "roles": map[string]any{"undo": source.IntN(4)}}})
}

// manifests of a version mention its own ConfigMap and Secret, and those of all.
func manifestsOf(version string) []byte {
	return fmt.Appendf(nil, "volumes: [{configMap: {name: %s}}, {configMap: {name: all}}, {secret: {secretName: %s}}]", version, version)
}

// returns reports whether an undo to a version puts an object back, and unmade whether it may delete it: said anew, by the
// names that random gives.
func returns(key, version string, back pin.Back) bool {
	kind, name, _ := strings.Cut(key, "/")
	switch kind {
	case "Application":
		return back.Config
	case "ConfigMap":
		return back.Config && (name == version || name == "all")
	case "Service":
		return back.Routes && name == "shop"
	case "Secret", "AuthorizationPolicy":
		return false
	}
	return back.Routes && (name == "ours" || name == "both")
}

func unmade(key string, back pin.Back) bool {
	return back.Prune && strings.HasSuffix(key, "/ours") && returns(key, "", back)
}

// content is what people wrote of an object, but for what no undo looks at.
func content(o map[string]any) string {
	var all map[string]any
	_ = json.Unmarshal(mustJSON(o), &all) // a copy
	for _, field := range []string{"metadata", "status"} {
		delete(all, field)
	}
	spec, _ := all["spec"].(map[string]any)
	for _, field := range []string{"roles", "clusterIP"} {
		delete(spec, field)
	}
	return string(mustJSON(all))
}

// touched is what differs in an object that nobody may have changed, or may have but put back: nothing.
func touched(before, after map[string]any, back bool) bool {
	if !back {
		return !reflect.DeepEqual(before, after)
	}
	if before == nil { // it is made anew
		return false
	}
	spec := func(o map[string]any, field string) any { s, _ := o["spec"].(map[string]any); return s[field] }
	return metaOf(before)["uid"] != metaOf(after)["uid"] ||
		!reflect.DeepEqual(spec(before, "roles"), spec(after, "roles")) || !reflect.DeepEqual(spec(before, "clusterIP"), spec(after, "clusterIP"))
}

// wrong is what an undo to a version left otherwise than it should have.
func wrong(then, before, after map[string]map[string]any, version string, back pin.Back) (all []string) {
	keys := maps.Clone(then)
	maps.Copy(keys, before)
	maps.Copy(keys, after)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		was, is, now := then[key], before[key], after[key]
		fault := ""
		switch restored := returns(key, version, back); {
		case restored && was != nil && (now == nil || content(now) != content(was)):
			fault = "is not put back"
		case restored && was != nil && is != nil && content(is) == content(was) && metaOf(is)["resourceVersion"] != metaOf(now)["resourceVersion"]:
			fault = "was as it had been, and is written"
		case was == nil && unmade(key, back):
			if now != nil {
				fault = "is not deleted"
			}
		case touched(is, now, restored && was != nil):
			fault = "is not as it was"
		}
		if fault != "" {
			all = append(all, fmt.Sprintf("%s %s: then %s, before %s, now %s", key, fault, mustJSON(was), mustJSON(is), mustJSON(now)))
		}
	}
	return all
}

// history is an application to which much happens.
type history struct {
	*world
	source *rand.Rand
	chance float64
	then   map[string]map[string]map[string]any // what stood beside each version when it last served
	onWay  *v1alpha1.Release                    // a release that nobody awaited
	proved int                                  // objects that came back, or went
	tale   []string
}

func (h *history) tell(format string, args ...any) {
	h.tale = append(h.tale, fmt.Sprintf(format, args...))
}

// quiet is a moment when nobody is in the middle of anything.
func quiet() {
	time.Sleep(137 * time.Microsecond)
	synctest.Wait()
}

func (h *history) serves() string {
	a, err := h.applications.Get("shop", "shop")
	if err != nil {
		panic(err)
	}
	return a.Status.Version
}

// begun waits until a release has begun: what stands beside the version that serves is recorded then. People write meanwhile.
func (h *history) begun(name string) {
	for range 3600 {
		quiet()
		if r, err := h.releases.Get("shop", name); err == nil && (len(r.Finalizers) > 0 || release.Final(r.Status.Phase)) {
			if !release.Final(r.Status.Phase) {
				h.beside.random(h.source)
			}
			return
		}
		time.Sleep(time.Second)
	}
	r, _ := h.releases.Get("shop", name)
	panic("release " + name + " does not begin: " + r.Status.Why)
}

// settle has the release that is on its way end, or goes on without it.
func (h *history) settle(await bool) {
	if h.onWay == nil {
		return
	}
	r, err := h.releases.Get("shop", h.onWay.Name)
	if err != nil || await || release.Final(r.Status.Phase) {
		r, h.onWay = h.await(h.onWay.Name, final...), nil
		if r.Status.Phase == v1alpha1.ReleaseSucceeded {
			h.then[r.Spec.Version] = h.beside.all()
		}
		h.tell("%s ended: %s", r.Name, r.Status.Phase)
	}
}

// bring releases a version, good or bad.
func (h *history) bring(name string) {
	h.settle(true)
	serving, version := h.serves(), []string{"v2", "v3", "v4"}[h.source.IntN(3)]
	h.mesh.Lock()
	h.services["shop"].errors[version] = []float64{0.001, 0.001, 0.2}[h.source.IntN(3)]
	h.services["shop"].errors[serving] = 0.001
	h.mesh.Unlock()
	h.then[serving] = h.beside.all()
	h.release(name, "shop", version)
	h.begun(name)
	if h.source.IntN(4) == 0 {
		h.onWay, _ = h.releases.Get("shop", name)
		h.tell("%s brings %s, and is left on its way", name, version)
		return
	}
	r := h.await(name, final...)
	if r.Status.Phase == v1alpha1.ReleaseSucceeded {
		h.then[version] = h.beside.all()
	}
	h.tell("%s brings %s beside %s: %s", name, version, serving, r.Status.Phase)
}

// back undoes as a stage of a pipeline does, by a process that is killed again and again.
func (h *history) back(name string) error {
	quiet()
	h.settle(false)
	h.beside.random(h.source)
	work := pipeline.ReleaseWork{Name: name, Application: "shop", Undo: true, Routes: h.source.IntN(4) > 0, Config: h.source.IntN(4) > 0}
	if h.source.IntN(2) == 0 {
		known := slices.Sorted(maps.Keys(h.then))
		work.Version = known[h.source.IntN(len(known))]
	} else { // which the stage remembers
		a, _ := h.applications.Get("shop", "shop")
		work.Version, _ = release.Earlier(a, h.releases.List("shop"))
	}
	a := pipeline.Action{ID: name, Kind: pipeline.CreateRelease, Data: mustJSON(work), Safe: true}
	back := pin.Back{Routes: work.Routes, Config: work.Config, Prune: work.Routes && h.source.IntN(2) == 0}
	before := h.beside.all()
	for {
		alive, kill := context.WithCancel(context.Background())
		p := shelf.NewProcess(kill, shelf.Chance(h.chance, h.source))
		result, err := h.hand(p, back).Do(alive, "shop", a)
		kill()
		if err == nil && (!result.OK || result.Data != nil) {
			return fmt.Errorf("%s: %+v", name, result)
		}
		if err == nil {
			break
		}
		time.Sleep(time.Second)
	}
	target := work.Version
	r := h.await(name, final...)
	h.tell("%s undoes to %s %+v: %s", name, target, back, r.Status.Phase)
	if r.Status.Phase != v1alpha1.ReleaseSucceeded || h.serves() != target || h.share("shop", target) != 100 {
		return fmt.Errorf("%s: %s: %s; %s serves, %s", name, r.Status.Phase, r.Status.Why, h.serves(), h.shares("shop"))
	}
	if h.onWay != nil {
		if r := h.await(h.onWay.Name, final...); r.Status.Phase == v1alpha1.ReleaseSucceeded {
			delete(h.then, r.Spec.Version) // it was faster than the undo, and recorded some moment of it
		}
		h.onWay = nil
	}
	if h.then[target] == nil {
		return nil
	}
	for key, now := range h.beside.all() {
		if is := before[key]; is == nil || content(is) != content(now) {
			h.proved++
		}
	}
	if all := wrong(h.then[target], before, h.beside.all(), target, back); len(all) > 0 {
		return fmt.Errorf("%s to %s %+v:\n%s", name, target, back, strings.Join(all, "\n"))
	}
	return nil
}

// stageHand is the releases of one process.
type stageHand struct {
	shelf.Objects[v1alpha1.Release]
}

func (stageHand) Patch(context.Context, string, string, string, []byte) (*v1alpha1.Release, error) {
	return nil, errors.New("nobody aborts here")
}

// hand is what makes a stage's releases, in one process.
func (h *history) hand(p *shelf.Process, back pin.Back) objects.Releases {
	faster := func() bool { return h.source.IntN(10) == 0 }
	restorer := versions.Restorer{Records: h.records(p), Writer: hands{h.beside, p, faster}}
	return objects.Releases{
		All: stageHand{shelf.Objects[v1alpha1.Release]{Shelf: h.releases, Process: p}},
		May: func(context.Context, *v1alpha1.Release) (string, error) { return "", nil },
		Restore: func(ctx context.Context, namespace, application, version string, asked pin.Back, begin func() error) error {
			asked.Prune = back.Prune // a person's word, as nobody else has it
			return restorer.Undo(ctx, namespace, application, version, asked, begin)
		},
	}
}

// live has some releases and undos go over the application, each from what the one before left.
func (h *history) live(kind v1alpha1.StrategyType) error {
	for _, version := range []string{"v2", "v3", "v4"} {
		spec := v1alpha1.VersionSpec{Application: "shop", Version: version, Image: "shop@" + version}
		if err := h.world.records(immortal()).Keep(context.Background(), "shop", spec, manifestsOf(version)); err != nil {
			return err
		}
	}
	h.beside.random(h.source)
	h.beside.random(h.source)
	h.deploy("shop", 0.001, 5000, kind)
	x := &v1alpha1.Workload{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-v4"}}
	x.Spec.App, x.Spec.Version, x.Status.Health = "shop", "v4", "Healthy"
	if _, err := h.workloads.Create(x); err != nil {
		return err
	}
	h.bring("r0")
	for i := 1; i < 5; i++ {
		if h.source.IntN(2) == 0 {
			quiet()
			h.bring(fmt.Sprint("r", i))
			continue
		}
		if a, _ := h.applications.Get("shop", "shop"); a.Status.Previous == "" {
			continue // nothing served before
		}
		if err := h.back(fmt.Sprint("u", i)); err != nil {
			return err
		}
	}
	return nil
}

// Law: whatever is released, and written meanwhile, and whenever weft is killed, an undo to any earlier version, that of an undo
// among them, has each object that it is asked for be as it was when that version served, and touches nothing else.
func TestUndoPutsBack(t *testing.T) {
	proved := 0
	for seed := range 1000 {
		chance := chances[seed%len(chances)]
		inWorld(t, uint64(seed), chance, func(w *world) {
			h := &history{world: w, source: rand.New(rand.NewPCG(uint64(seed), 1)), chance: chance, then: map[string]map[string]map[string]any{}}
			kind := []v1alpha1.StrategyType{v1alpha1.Canary, v1alpha1.BlueGreen, v1alpha1.BlueGreen, v1alpha1.BlueGreen}[h.source.IntN(4)]
			if err := h.live(kind); err != nil {
				t.Errorf("seed %d, killed at %v of operations: %v\n%s", seed, chance, err, strings.Join(h.tale, "\n"))
			}
			proved += h.proved
		})
	}
	if proved < 1000 {
		t.Errorf("%d objects came back: these histories prove little", proved)
	}
}

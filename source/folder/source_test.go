package folder_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	networking "istio.io/api/networking/v1alpha3"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/source/folder"
)

const deadline = 20 * time.Second // of anything that a test waits for

// world is a folder and what came of it.
type world struct {
	t       testing.TB
	dir     string
	source  *folder.Source
	graph   *flow.Graph
	commits chan flow.Revision
	deleted atomic.Int32 // objects, so far
	memory  folder.Memory
	log     chan string // what is warned of
	ended   chan error
	stop    func()
}

func newWorld(t testing.TB) *world {
	return &world{t: t, dir: t.TempDir(), commits: make(chan flow.Revision, 10_000), log: make(chan string, 1000)}
}

// Write takes a line of the log.
func (w *world) Write(line []byte) (int, error) {
	w.log <- string(line)
	return w.t.Output().Write(line)
}

func (w *world) start() {
	w.t.Helper()
	w.begin()
	w.synced()
}

// begin runs a source; the one before has to be stopped.
func (w *world) begin() {
	w.graph = flow.New(flow.Options{})
	w.source = folder.New(w.dir, w.graph, slog.New(slog.NewTextHandler(w, nil)))
	if w.memory != nil {
		w.source.Remember(w.memory)
	}
	w.source.Observe(func(rev flow.Revision, changes []flow.Change[api.Object]) {
		for _, c := range changes {
			if c.New == nil {
				w.deleted.Add(1)
			}
		}
		w.commits <- rev
	})
	w.source.Problems.Observe(func(rev flow.Revision, _ []flow.Change[model.Problem]) { w.commits <- rev })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.source.Run(ctx) }()
	w.ended = ended
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != context.Canceled {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(w.stop)
}

func (w *world) synced() {
	w.t.Helper()
	select {
	case <-w.source.Synced():
	case err := <-w.ended:
		w.ended <- err
		w.t.Fatal(err)
	case <-time.After(deadline):
		w.t.Fatal("the folder is not read")
	}
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

// write puts a text where it shall be, in one step.
func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name+".tmp"), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.must(os.Rename(w.path(name+".tmp"), w.path(name)))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// until waits for commits until what is there holds.
func (w *world) until(what string, holds func() bool) {
	w.t.Helper()
	late := time.After(deadline)
	for !holds() {
		select {
		case <-w.commits:
		case <-late:
			w.t.Fatalf("never: %s\nobjects: %v\nproblems: %v", what, w.keys(), w.messages())
		}
	}
}

func (w *world) keys() []string {
	var keys []string
	for _, o := range w.source.All() {
		keys = append(keys, o.Key())
	}
	return keys
}

func (w *world) messages() []string {
	var all []string
	for _, p := range w.source.Problems.All() {
		all = append(all, p.Object.String()+" "+p.Code+" "+p.Path+" "+strings.ReplaceAll(p.Message, w.dir+"/", ""))
	}
	return all
}

func (w *world) has(keys ...string) func() bool {
	return func() bool { return slices.Equal(w.keys(), keys) }
}

func (w *world) says(messages ...string) func() bool {
	return func() bool {
		return slices.EqualFunc(w.messages(), messages, strings.Contains)
	}
}

// weight is what the VirtualService "web" does with its first route.
func (w *world) weight() int32 {
	o, ok := w.source.Get("VirtualService/default/web")
	if !ok {
		return -1
	}
	return o.Spec.(*networking.VirtualService).Http[0].Route[0].Weight
}

func entry(name string) string {
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s}
spec:
  hosts: [%s.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 127.0.0.1}]
`, name, name)
}

func web(weight int) string {
	return fmt.Sprintf(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: web
spec:
  hosts: [web.example.com]
  http:
  - route:
    - destination: {host: a.example.com}
      weight: %d
    - destination: {host: b.example.com}
      weight: %d
`, weight, 100-weight)
}

func TestSource(t *testing.T) {
	w := newWorld(t)
	w.write("a.yaml", entry("a")+"---\n# nothing\n---\n"+entry("b"))
	w.write("sub/web.yml", web(10))
	w.write(".hidden.yaml", entry("hidden"))
	w.write("notes.txt", "no YAML: [")
	w.write("#a.yaml", entry("temporary"))
	w.write("g.json", `{"apiVersion":"gateway.networking.k8s.io/v1beta1","kind":"HTTPRoute","metadata":{"name":"r","namespace":"shop","uid":"x","generation":7},
		"spec":{"rules":[{"retry":{"attempts":3},"backendRefs":[{"name":"a","port":80}]}]},"status":{"parents":[]}}`)
	w.start()
	if w.graph.Revision() != 1 {
		t.Errorf("the first reading took %d commits", w.graph.Revision())
	}
	if got := w.keys(); !slices.Equal(got, []string{"HTTPRoute/shop/r", "ServiceEntry/default/a", "ServiceEntry/default/b", "VirtualService/default/web"}) {
		t.Errorf("read %v", got)
	}
	route, _ := w.source.Get("HTTPRoute/shop/r")
	rule := route.Spec.(*gatewayv1.HTTPRouteSpec).Rules[0]
	if ref := rule.BackendRefs[0]; ref.Weight == nil || *ref.Weight != 1 || len(rule.Matches) != 1 || route.UID != "" || route.Generation != 0 {
		t.Errorf("without an API server's defaults: %+v", route)
	}
	if rule.Retry == nil {
		t.Error("a field of the experimental channel is lost")
	}
	b, _ := w.source.Get("ServiceEntry/default/b")
	if at := b.Annotations[api.SourceAnnotation]; at != w.path("a.yaml")+":12" {
		t.Errorf("b stands at %s", at)
	}

	w.write("a.yaml", entry("a"))
	w.until("b is gone", w.has("HTTPRoute/shop/r", "ServiceEntry/default/a", "VirtualService/default/web"))
	w.write("new/deep/c.yaml", entry("c"))
	w.until("c in a new folder", func() bool { return slices.Contains(w.keys(), "ServiceEntry/default/c") })
	w.write("new/deep/c.yaml", entry("d"))
	w.until("d for c", func() bool {
		return slices.Contains(w.keys(), "ServiceEntry/default/d") && !slices.Contains(w.keys(), "ServiceEntry/default/c")
	})
	w.must(os.Rename(w.path("new"), w.path("sub/old")))
	w.write("sub/old/deep/d.yaml", entry("e"))
	w.until("e in the folder that moved", func() bool { return slices.Contains(w.keys(), "ServiceEntry/default/e") })
	w.must(os.RemoveAll(w.path("sub")))
	w.allow()
	w.until("the folder is gone", w.has("HTTPRoute/shop/r", "ServiceEntry/default/a"))
}

// What cannot be used keeps its last good rows, is said with file and line, and
// is used again once it is corrected.
func TestLastGood(t *testing.T) {
	w := newWorld(t)
	w.write("a.yaml", entry("a"))
	w.write("web.yaml", web(10))
	w.start()
	all := w.has("ServiceEntry/default/a", "VirtualService/default/web")

	for name, c := range map[string]struct{ text, says string }{
		"no YAML":             {"kind: [\n", "File web.yaml Invalid  web.yaml:1: did not find"},
		"half":                {web(20)[:150], "File web.yaml Invalid  web.yaml:"},
		"a list":              {"- a\n", "File web.yaml Invalid  web.yaml:1: want an object"},
		"a key twice":         {"kind: A\nkind: B\n", `File web.yaml Invalid  web.yaml:2: mapping key "kind" already defined`},
		"no such kind":        {web(20) + "---\nkind: Pod\napiVersion: v1\n", `File web.yaml Invalid kind web.yaml:14: weft does not accept kind "Pod"`},
		"no such version":     {strings.Replace(web(20), "/v1", "/v7", 1), `VirtualService default/web Invalid apiVersion web.yaml:1: version "v7": VirtualService has v1, v1alpha3, v1beta1`},
		"a wrong type":        {strings.Replace(web(20), "weight: 20", "weight: much", 1), "VirtualService default/web Invalid spec.http[0].route[0].weight web.yaml:9: "},
		"a rule of the CRD":   {strings.Replace(web(20), "  - route:", "  - timeout: 10us\n    route:", 1), "VirtualService default/web Invalid spec.http[0].timeout web.yaml:8: Invalid value: \"10us\": must be a valid duration"},
		"an unknown field":    {strings.Replace(web(20), "weight: 20", "wieght: 20", 1), "VirtualService default/web Invalid  web.yaml:1: spec: unknown field"},
		"a name of no object": {strings.Replace(web(20), "name: web", "name: Web!", 1), "VirtualService default/Web! Invalid metadata.name web.yaml:1: "},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			w.t = t
			w.write("web.yaml", web(10))
			w.until("good before", func() bool { return w.weight() == 10 && len(w.messages()) == 0 })
			w.write("web.yaml", c.text)
			w.until(c.says, w.says(c.says))
			if name == "no such kind" { // the other object of the file is sound
				w.until("what is sound", func() bool { return w.weight() == 20 })
			} else if w.weight() != 10 || !all() {
				t.Errorf("the last good is not kept: weight %d of %v", w.weight(), w.keys())
			}
			w.write("web.yaml", web(30))
			w.until("corrected", func() bool { return w.weight() == 30 && len(w.messages()) == 0 && all() })
		})
	}
}

// A file may be removed or emptied before it is written again: nobody sees that.
func TestReplacedInSteps(t *testing.T) {
	w := newWorld(t)
	w.write("web.yaml", web(10))
	w.write("x.yaml", entry("x"))
	w.start()
	w.must(os.Truncate(w.path("web.yaml"), 0))
	w.must(os.Remove(w.path("web.yaml")))
	w.must(os.WriteFile(w.path("web.yaml"), []byte(web(20)), 0o644))
	w.until("the new weight", func() bool { return w.weight() == 20 })
	w.must(os.Rename(w.path("web.yaml"), w.path("other.yaml")))
	w.until("the new place", func() bool {
		o, _ := w.source.Get("VirtualService/default/web")
		return strings.HasSuffix(o.Annotations[api.SourceAnnotation], "other.yaml:1")
	})
	w.must(os.Remove(w.path("other.yaml")))
	w.until("really gone", w.has("ServiceEntry/default/x"))
	if n := w.deleted.Load(); n != 1 {
		t.Errorf("the object was gone %d times", n)
	}
}

// One object in two files: the first path has it, and the other one takes over.
func TestTwoFiles(t *testing.T) {
	w := newWorld(t)
	w.write("b.yaml", web(20))
	w.start()
	w.write("c.yaml", web(30)+"---\n"+web(40))
	w.until("both problems", w.says(
		"VirtualService default/web Conflict  c.yaml:1: the same object is written at b.yaml:1",
		"VirtualService default/web Invalid  c.yaml:14: the same object is written at "+"c.yaml:1"))
	if w.weight() != 20 {
		t.Errorf("c.yaml wins: weight %d", w.weight())
	}
	w.write("a.yaml", web(10))
	w.until("a.yaml wins", func() bool { return w.weight() == 10 && len(w.messages()) == 3 })
	w.must(os.Remove(w.path("a.yaml")))
	w.must(os.Remove(w.path("b.yaml")))
	w.until("c.yaml takes over", func() bool { return w.weight() == 30 && len(w.messages()) == 1 })
}

// Kubernetes mounts a ConfigMap as links to a link to a folder, and swaps the
// one in the middle.
func TestConfigMap(t *testing.T) {
	w := newWorld(t)
	w.write("..one/web.yaml", web(10))
	w.write("..one/sub/a.yaml", entry("a"))
	w.must(os.Symlink("..one", w.path("..data")))
	w.must(os.Symlink("..data/web.yaml", w.path("web.yaml")))
	w.must(os.Symlink("..data/sub", w.path("sub")))
	w.must(os.Symlink("..", w.path("loop")))
	w.start()
	if got := w.keys(); !slices.Equal(got, []string{"ServiceEntry/default/a", "VirtualService/default/web"}) {
		t.Fatalf("read %v", got)
	}
	for i, next := range []string{"..two", "..three"} {
		weight := 20 + i
		w.write(next+"/web.yaml", web(weight))
		w.write(next+"/sub/a.yaml", entry(fmt.Sprintf("a%d", i)))
		w.must(os.Symlink(next, w.path("..data_tmp")))
		w.must(os.Rename(w.path("..data_tmp"), w.path("..data")))
		w.until(next, func() bool {
			return w.weight() == int32(weight) && slices.Contains(w.keys(), fmt.Sprintf("ServiceEntry/default/a%d", i)) && len(w.keys()) == 2
		})
		w.must(os.RemoveAll(w.path([]string{"..one", "..two"}[i])))
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t)
	w.write("a.yaml", entry("a"))
	w.start()
	w.write("large.yaml", "#"+strings.Repeat("x", folder.MaxFileBytes)+"\n"+entry("large"))
	w.until("too large", w.says("File large.yaml Invalid  large.yaml: has 4194"))
	w.write("large.yaml", entry("small"))
	w.until("small enough", w.has("ServiceEntry/default/a", "ServiceEntry/default/small"))
	deep := strings.Repeat("d/", folder.MaxDepth+1)
	w.write(deep+"deep.yaml", entry("deep"))
	w.until("too deep", func() bool {
		return len(w.messages()) == 1 && strings.Contains(w.messages()[0], "more folders below each other")
	})
	w.must(os.Remove(w.path("a.yaml")))
	w.until("others go on", w.has("ServiceEntry/default/small"))
}

func TestNoFolder(t *testing.T) {
	s := folder.New(filepath.Join(t.TempDir(), "none"), flow.New(flow.Options{}), slog.Default())
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "name a folder that exists") {
		t.Errorf("a folder that does not exist: %v", err)
	}
}

// BenchmarkRename is from the rename of one file in a folder of 1,500 services
// to the end of its commit.
func BenchmarkRename(b *testing.B) {
	w := newWorld(b)
	for i := range 1500 {
		w.write(fmt.Sprintf("s%04d.yaml", i), entry(fmt.Sprintf("s%04d", i)))
	}
	w.write("web.yaml", web(0))
	start := time.Now()
	w.start()
	b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-start")
	for b.Loop() {
		b.StopTimer()
		weight := int(w.weight()+1) % 100
		w.must(os.WriteFile(w.path("web.tmp"), []byte(web(weight)), 0o644))
		b.StartTimer()
		w.must(os.Rename(w.path("web.tmp"), w.path("web.yaml")))
		w.until("the new weight", func() bool { return w.weight() == int32(weight) })
	}
}

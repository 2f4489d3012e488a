package translate_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"weft.dev/api"
	"weft.dev/flow"
)

// A mesh of real size, in three ways to write it down.
//
// load is a way; the objects of service i are at once those of a mesh with
// i+1 services.
type load struct {
	name   string
	shared string                           // the one document that all have
	texts  func(service, ends int) []string // the documents of one service
}

var loads = []load{
	{name: "ServiceEntry", texts: entryTexts},
	{name: "Workload", texts: workloadTexts},
	{name: "Service", texts: kubeTexts},
}

// routeEvery is how many services there are to one with a DestinationRule and a VirtualService.
const routeEvery = 10

func decode(t testing.TB, text string) api.Object {
	t.Helper()
	o, err := api.Decode([]byte(text))
	if err != nil || o.Err != "" {
		t.Fatalf("%v %s in %s", err, o.Err, text)
	}
	return o
}

func metadata(kind, name string) string {
	return fmt.Sprintf(`%s,"metadata":{"name":%q,"namespace":"default","uid":"4f5c1d9e-0000-4000-8000-%s","resourceVersion":"1%s","generation":1,"creationTimestamp":"2026-01-01T00:00:00Z"`,
		kind, name, name, name)
}

func istio(kind, name, spec string) string {
	return fmt.Sprintf(`{"apiVersion":"networking.istio.io/v1","kind":%s},"spec":%s}`, metadata(fmt.Sprintf("%q", kind), name), spec)
}

func app(service int) string  { return fmt.Sprintf("svc-%05d", service) }
func host(service int) string { return app(service) + ".default.svc.cluster.local" }

func ip(n int) string { return fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255) }

// entryTexts has endpoints that are listed where the service is.
func entryTexts(service, ends int) []string {
	all := []string{entryText(service, ends)}
	if service%routeEvery == 0 {
		all = append(all, ruleText(service), routeText(service, "one"))
	}
	return all
}

func entryText(service, ends int) string {
	var list []string
	for k := range ends {
		list = append(list, fmt.Sprintf(`{"address":%q,"labels":{"app":%q,"version":"v%d","security.istio.io/tlsMode":"istio"},"serviceAccount":%q}`,
			ip(service*256+k), app(service), 1+k%2, app(service)))
	}
	return istio("ServiceEntry", app(service), fmt.Sprintf(
		`{"hosts":[%q],"addresses":["240.0.%d.%d"],"location":"MESH_INTERNAL","resolution":"STATIC","ports":[{"number":8080,"name":"http","protocol":"HTTP"}],"endpoints":[%s]}`,
		host(service), service>>8&255, service&255, strings.Join(list, ",")))
}

func ruleText(service int) string {
	return istio("DestinationRule", app(service), fmt.Sprintf(
		`{"host":%q,"trafficPolicy":{"outlierDetection":{"consecutive5xxErrors":5}},"subsets":[{"name":"v1","labels":{"version":"v1"}},{"name":"v2","labels":{"version":"v2"}}]}`, host(service)))
}

func routeText(service int, header string) string {
	return istio("VirtualService", app(service), fmt.Sprintf(
		`{"hosts":[%q],"http":[{"route":[{"destination":{"host":%q,"subset":"v1"},"weight":90,"headers":{"request":{"set":{"x-marker":%q}}}},{"destination":{"host":%q,"subset":"v2"},"weight":10}]}]}`,
		host(service), host(service), header, host(service)))
}

// workloadTexts has an object for each endpoint, and the service is implied.
func workloadTexts(service, ends int) []string {
	var all []string
	for k := range ends {
		all = append(all, workloadText(service, k, "Healthy", "team-a"))
	}
	return all
}

func workloadText(service, k int, health, team string) string {
	return fmt.Sprintf(`{"apiVersion":"weft.dev/v1alpha1","kind":%s,"labels":{"app":%q,"version":"v%d","team":%q},"annotations":{"weft.dev/health":%q}},"spec":{"app":%q,"version":"v%d","address":%q,"outboundPort":15001,"host":"node-%d","ports":[{"number":8080,"protocol":"http","proxyPort":20000,"appPort":8080}]}}`,
		metadata(`"Workload"`, fmt.Sprintf("%s-%05d", app(service), k)), app(service), 1+k%2, team, health, app(service), 1+k%2, ip(service*256+k), k)
}

// kubeTexts has Services that select workloads, and routes.
func kubeTexts(service, ends int) []string {
	all := append(workloadTexts(service, ends), kubeText(service))
	if service%routeEvery == 0 {
		all = append(all, ruleText(service), routeText(service, "one"))
	}
	return all
}

func kubeText(service int) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":%s},"spec":{"selector":{"app":%q},"ports":[{"name":"http","port":80,"targetPort":8080}]}}`,
		metadata(`"Service"`, app(service)), app(service))
}

// sized is a mesh that counts the model rows that its commits change.
type sized struct {
	mesh
	rows *int
}

// mesh commits a mesh of that size at once, as the store does at first.
func (l load) mesh(t testing.TB, services, ends int) sized {
	m := sized{newMesh(), new(int)}
	count(m.Services, m.rows)
	count(m.Replicas, m.rows)
	count(m.Policies, m.rows)
	count(m.Routes, m.rows)
	count(m.Problems, m.rows)
	m.graph.Commit(func(tx *flow.Tx) {
		for i := range services {
			for _, text := range l.texts(i, ends) {
				m.objects.Set(tx, decode(t, text))
			}
		}
	})
	return m
}

func count[V flow.Row[V]](c *flow.Collection[V], n *int) {
	c.Observe(func(_ flow.Revision, changes []flow.Change[V]) { *n += len(changes) })
}

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkHeap says what stays in memory: the slopes over services and over endpoints.
func BenchmarkHeap(b *testing.B) {
	for _, l := range loads {
		b.Run(l.name, func(b *testing.B) {
			size := func(services, ends int) float64 {
				before := heap()
				m := l.mesh(b, services, ends)
				after := heap()
				runtime.KeepAlive(m)
				return after - before
			}
			var end, service float64
			for b.Loop() {
				few, more, many := size(400, 10), size(400, 30), size(800, 10)
				end = (more - few) / (400 * 20)
				service = (many-few)/400 - 10*end
			}
			b.ReportMetric(end, "B/endpoint")
			b.ReportMetric(service, "B/service")
		})
	}
}

// BenchmarkLoad is the first commit of 1,000 services with 10 endpoints each.
func BenchmarkLoad(b *testing.B) {
	for _, l := range loads {
		var texts []string
		for i := range 1000 {
			texts = append(texts, l.texts(i, 10)...)
		}
		b.Run(l.name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, text := range texts {
					decode(b, text)
				}
			}
		})
		b.Run(l.name+"/commit", func(b *testing.B) {
			b.ReportAllocs()
			var all []api.Object
			for _, text := range texts {
				all = append(all, decode(b, text))
			}
			for b.Loop() {
				newMesh().set(all...)
			}
		})
	}
}

// change is one edit of a mesh, and back.
type change struct {
	name string
	load int // of loads
	text func(i int) string
	rows int // of the model that it changes
}

var changes = []change{
	{"endpoint of a ServiceEntry", 0, func(i int) string { return entryText(7, 10+i%2) }, 1},
	{"header of a VirtualService", 0, func(i int) string { return routeText(10, fmt.Sprint("m", i%2)) }, 1},
	{"subset of a DestinationRule", 0, func(i int) string {
		return strings.Replace(ruleText(10), "Errors\":5", fmt.Sprint("Errors\":", 5+i%2), 1)
	}, 1},
	{"health of a Workload", 1, func(i int) string { return workloadText(7, 3, []string{"Draining", "Healthy"}[i%2], "team-a") }, 1},
	{"label that nobody selects on", 2, func(i int) string { return workloadText(7, 3, "Healthy", fmt.Sprint("team-", i%2)) }, 1},
	{"port of a Service", 2, func(i int) string { return strings.Replace(kubeText(7), ":80,", fmt.Sprintf(":%d,", 81+i%2), 1) }, 1},
	{"same object again", 2, func(i int) string {
		return strings.Replace(kubeText(7), `"resourceVersion":"1`, fmt.Sprint(`"resourceVersion":"2`, i%2), 1)
	}, 0},
}

// maxRuns is above how many derivations one change of one object runs: each
// that looks at all objects runs once for it, and a few run for what follows.
const maxRuns = 39

// TestCostOfAChange: a change runs the same derivations and changes the same
// rows in a small mesh and in a large one.
func TestCostOfAChange(t *testing.T) {
	for l, load := range loads {
		var runs [2][]uint64
		for size, services := range []int{20, 400} {
			m := load.mesh(t, services, 10)
			for _, c := range changes {
				if c.load != l {
					continue
				}
				for i := range 3 { // the first may change what the mesh was made with in another way
					before := m.graph.Stats().Runs
					*m.rows = 0
					m.set(decode(t, c.text(i)))
					if i == 0 {
						continue
					}
					runs[size] = append(runs[size], m.graph.Stats().Runs-before)
					if *m.rows != c.rows {
						t.Errorf("%s of %d services: %d rows changed, want %d", c.name, services, *m.rows, c.rows)
					}
				}
			}
		}
		if !slices.Equal(runs[0], runs[1]) || len(runs[0]) == 0 || slices.Max(runs[0]) > maxRuns {
			t.Errorf("%s: runs %v in a small mesh, %v in one 20 times as large, want the same and at most %d", load.name, runs[0], runs[1], maxRuns)
		}
	}
}

// TestCostOfAService: one more is as cheap.
func TestCostOfAService(t *testing.T) {
	for _, load := range loads {
		var runs [2]uint64
		for size, services := range []int{20, 400} {
			m := load.mesh(t, services, 10)
			before := m.graph.Stats().Runs
			for _, text := range load.texts(services, 10) {
				m.set(decode(t, text))
			}
			runs[size] = m.graph.Stats().Runs - before
		}
		if runs[0] != runs[1] {
			t.Errorf("%s: a new service ran %d derivations in a small mesh, %d in one 20 times as large", load.name, runs[0], runs[1])
		}
	}
}

// TestResync: the same objects again, as after a lost connection to the store.
func TestResync(t *testing.T) {
	for _, load := range loads {
		m := load.mesh(t, 50, 10)
		var all []api.Object
		for i := range 50 {
			for _, text := range load.texts(i, 10) {
				all = append(all, decode(t, text))
			}
		}
		before, revision := m.graph.Stats().Runs, m.graph.Revision()
		got := m.graph.Commit(func(tx *flow.Tx) { m.objects.Replace(tx, "", all) })
		if runs := m.graph.Stats().Runs - before; runs != 0 || got != revision {
			t.Errorf("%s: an equal resync ran %d derivations and made revision %d of %d", load.name, runs, got, revision)
		}
	}
}

func BenchmarkChange(b *testing.B) {
	for _, services := range []int{150, 1500} {
		for l, load := range loads {
			m := load.mesh(b, services, 20)
			for _, c := range changes {
				if c.load != l {
					continue
				}
				b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(c.name, " ", "_"), services), func(b *testing.B) {
					pair := []api.Object{decode(b, c.text(0)), decode(b, c.text(1))}
					before := m.graph.Stats().Runs
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						m.set(pair[i%2])
					}
					b.ReportMetric(float64(m.graph.Stats().Runs-before)/float64(b.N), "runs/op")
				})
			}
			b.Run(fmt.Sprintf("resync_of_%s/%d", load.name, services), func(b *testing.B) {
				all := m.objects.All()
				b.ReportAllocs()
				for b.Loop() {
					m.graph.Commit(func(tx *flow.Tx) { m.objects.Replace(tx, "", all) })
				}
			})
		}
	}
}

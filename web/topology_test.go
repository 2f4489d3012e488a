package web

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
)

// drawn is what the handler answers, in words.
func drawn(t *testing.T, seen *glances, query string) (nodes, ways []string) {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", Prefix+"topology?"+query, nil)
	r.Header.Set("Accept-Encoding", "gzip")
	showTopology(seen)(w, r)
	body := io.Reader(w.Body)
	if w.Header().Get("Content-Encoding") == "gzip" {
		var err error
		if body, err = gzip.NewReader(w.Body); err != nil {
			t.Fatal(err)
		}
	}
	var got Topology
	if err := json.NewDecoder(body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	for _, n := range got.Nodes {
		nodes = append(nodes, fmt.Sprintf("%s/%s %s %s %.0f/s %.0f%% %s", n.Namespace, n.Name, n.Kind, n.State, n.Rate, n.Failing*100, n.Releasing))
	}
	for _, way := range got.Ways {
		text := fmt.Sprintf("%s > %s %s %.0f/s %.0f%%", got.Nodes[way.From].Name, got.Nodes[way.To].Name, way.State, way.Rate, way.Failing*100)
		if way.Plain {
			text += " plain"
		}
		ways = append(ways, text)
	}
	return nodes, ways
}

// The map has what is a service, what calls, and what was called lately; calls of all versions are one way.
func TestTopology(t *testing.T) {
	w := &town{}
	for _, name := range []string{"front", "reviews", "alone"} {
		w.serve(name, "v1", 1, 1)
	}
	w.services = append(w.services, model.Service{Host: "pay.example.com", Namespace: "shop", Name: "pay.example.com", External: true})
	w.replicas = append(w.replicas, model.Replicas{ID: "edge", Workload: model.Workload{Namespace: "shop", Gateway: "edge"}})
	w.call("reviews", "v1", 900, 0, 0)
	w.call("reviews", "v2", 100, 50, 10)
	w.call("front", "", 1000, 0, 0)
	w.call("pay.example.com", "", 100, 0, 0)
	w.call("gone", "", 10, 10, 0) // too few to say anything, and no service any more
	for i, source := range []string{"front", "front", "edge", "front", "batch"} {
		w.edges[i].Source.App, w.edges[i].Port = source, 80
	}
	w.edges[3].Destination.Namespace = ""
	w.plain = map[string]bool{"pay.example.com:80": true, "reviews.shop.svc.cluster.local:80/v1": false}
	w.calls = []metrics.Call{{Namespace: "shop", App: "front", Host: model.HostOf("shop", "reviews")}, {Namespace: "shop", App: "old", Host: model.HostOf("shop", "front")}}
	w.releases = []Release{{Namespace: "shop", Application: "reviews", Version: "v2", Phase: "Progressing"}}
	nodes, ways := drawn(t, newGlances(w.mesh()), "window=10s")
	if want := []string{
		"shop/reviews service bad 100/s 4% v2", "shop/front service ok 100/s 0% ", "shop/pay.example.com outside ok 10/s 0% ", "shop/alone service idle 0/s 0% ",
		"shop/edge gateway ok 0/s 0% ", "shop/batch caller ok 0/s 0% ", "shop/gone outside ok 1/s 100% ", "shop/old caller idle 0/s 0% ",
	}; !slices.Equal(nodes, want) {
		t.Errorf("got\n%q\nwant\n%q", nodes, want)
	}
	if want := []string{
		"front > reviews bad 100/s 4%", "edge > front ok 100/s 0%", "front > pay.example.com ok 10/s 0% plain",
		"batch > gone ok 1/s 100%", "old > front idle 0/s 0%",
	}; !slices.Equal(ways, want) {
		t.Errorf("got\n%q\nwant\n%q", ways, want)
	}
}

// A minute of the past has what was called then, whatever is now, and the release of that time.
func TestTopologyOfThePast(t *testing.T) {
	w := &town{}
	w.serve("reviews", "v1", 1, 0)
	w.serve("new", "v1", 1, 1)
	w.serve("web", "v1", 1, 1)
	began := time.Unix(10_000, 0)
	ended := began.Add(90 * time.Second)
	w.releases = []Release{{Namespace: "shop", Name: "r", Application: "reviews", Version: "v2", Phase: "RolledBack", State: Bad, Started: began, Ended: &ended}}
	mesh := w.mesh()
	for minute := range 3 {
		w.edges = nil
		w.call("reviews", "v1", 600, uint64(minute%2*60), 0)
		w.edges[0].P99 = 7
		mesh.Past.Record(w.edges, began.Add(time.Duration(minute)*time.Minute))
	}
	w.edges = nil
	for at, want := range map[time.Time]string{
		began:                       "shop/reviews service ok 10/s 0% v2",
		began.Add(time.Minute):      "shop/reviews service bad 10/s 10% v2",
		began.Add(10 * time.Minute): "shop/reviews service ok 10/s 0% ",
	} {
		nodes, ways := drawn(t, newGlances(mesh), "at="+at.UTC().Format(time.RFC3339))
		if len(nodes) != 2 || nodes[0] != want || nodes[1] != "shop/web service ok 0/s 0% " || len(ways) != 1 {
			t.Errorf("%s: %q %q, want %s", at, nodes, ways, want)
		}
	}
	p := past(mesh)
	if len(p.Moments) != 3 || len(p.Marks) != 2 || p.Marks[0].Text != "reviews v2 starts" || p.Marks[1].Text != "reviews v2 ends" || p.Marks[1].State != Bad {
		t.Errorf("%+v", p)
	}
}

// However many look during a second, the mesh is looked through once, and again when it is another.
func TestGlancesAreShared(t *testing.T) {
	w := &town{}
	w.serve("front", "v1", 1, 1)
	mesh, revision, found := w.mesh(), uint64(1), 0
	mesh.Status = func() Status { return Status{Revision: revision} }
	mesh.Edges = func(time.Duration) []metrics.Edge { found++; return nil }
	seen, now := newGlances(mesh), time.Unix(1000, 0)
	look := func(window time.Duration, now time.Time, want int) {
		t.Helper()
		g := seen.at(window, now)
		if g.services(); len(g.topology().plain) == 0 || found != want {
			t.Errorf("looked through %d times, want %d", found, want)
		}
	}
	look(10*time.Second, now, 1)
	look(10*time.Second, now.Add(time.Second/2), 1)
	look(time.Minute, now, 2)
	look(10*time.Second, now.Add(time.Second), 3)
	revision++
	look(10*time.Second, now.Add(time.Second), 4)
	for i := range 100 {
		seen.at(time.Duration(i+1)*time.Second, now)
	}
	if len(seen.all) != mostGlances {
		t.Errorf("%d glances are kept, want %d", len(seen.all), mostGlances)
	}
}

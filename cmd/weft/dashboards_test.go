package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/metrics/board"
	"weft.dev/metrics/series"
	"weft.dev/model"
	"weft.dev/test/process"
	"weft.dev/web"
)

// Every query of every dashboard has an answer where everything happens, and every series is in one.
func TestDashboards(t *testing.T) {
	s := eventful(t, roomy)
	var queries strings.Builder
	for _, b := range board.All() {
		chosen := strings.NewReplacer("$__rate_interval", "1m")
		for _, v := range b.Variables {
			var values []string
			s.ask(t, "label/"+v.Label+"/values", url.Values{"match[]": {chosen.Replace(v.Match)}}, &values)
			if len(values) == 0 {
				t.Fatalf("%s: the variable %s has no value", b.Name, v.Name)
			}
			all := []string{"$__rate_interval", "1m"}
			for _, before := range b.Variables {
				all = append(all, "$"+before.Name, map[string]string{"namespace": "shop", "service": "reviews", "app": "frontend"}[before.Name])
			}
			chosen = strings.NewReplacer(all...)
		}
		for _, p := range b.Panels {
			for _, q := range p.Queries {
				queries.WriteString(q.Expr)
				for path, form := range map[string]url.Values{"query": {}, "query_range": {"start": {"1767322900"}, "end": {"1767323000"}, "step": {"15"}}} {
					form.Set("query", chosen.Replace(q.Expr))
					var data struct {
						Result []struct{ Metric map[string]string }
					}
					s.ask(t, path, form, &data)
					if len(data.Result) == 0 {
						t.Errorf("%s, %s: no answer to %s", b.Name, p.Title, form.Get("query"))
					}
					for _, one := range data.Result {
						for label := range one.Metric {
							if !strings.Contains(q.Legend, "{{"+label+"}}") && label != "__name__" && p.Title != "Traffic by version" {
								t.Errorf("%s, %s: lines differ by %s, and the legend %s does not say it", b.Name, p.Title, label, q.Legend)
							}
						}
					}
				}
			}
		}
	}
	for _, f := range slices.Concat(serverFamilies, metrics.EdgeFamilies) {
		if !strings.Contains(queries.String(), f.Name) {
			t.Errorf("no dashboard shows %s", f.Name)
		}
	}
}

// The pages of the UI have lines in each panel, and say what is missing and why.
func TestDrawnDashboards(t *testing.T) {
	s, serving := eventful(t, roomy), make(chan struct{})
	close(serving)
	ended := time.Date(2026, 1, 2, 3, 3, 0, 0, time.UTC)
	mesh := web.Mesh{Serving: serving, Series: sampled{s.store}, Releases: func() []web.Release {
		return []web.Release{
			{Namespace: "shop", Name: "reviews-v2", Application: "reviews", Version: "v2", State: web.Bad, Started: ended.Add(-time.Minute), Ended: &ended},
			{Namespace: "bank", Name: "ledger-v2", Application: "ledger", Version: "v2", Started: ended},
		}
	}}
	get := func(path string) (b web.Board, code int) {
		w := httptest.NewRecorder()
		web.Handler(mesh).ServeHTTP(w, httptest.NewRequest("GET", web.Prefix+"boards/"+path, nil))
		if err := json.Unmarshal(w.Body.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		return b, w.Code
	}
	for _, want := range board.All() {
		b, _ := get(want.Name + "?range=15m&at=2026-01-02T03:05:00Z&service=reviews&app=frontend")
		if b.Title != want.Title || len(b.Panels) != len(want.Panels) || len(b.Others) != len(board.All()) || b.Step != 15 {
			t.Errorf("%s: %+v", want.Name, b)
		}
		for i, p := range b.Panels {
			if len(p.Lines) == 0 || p.Title != want.Panels[i].Title {
				t.Errorf("%s: panel %s has no line", b.Name, p.Title)
			}
			for _, l := range p.Lines {
				if len(l.At) != len(l.Values) || len(l.At) == 0 || slices.Max(l.At) > 60 || slices.Min(l.At) < 0 || strings.ContainsAny(l.Name, "{}") {
					t.Errorf("%s, %s: line %+v", b.Name, p.Title, l)
				}
			}
		}
		marks := len(b.Marks)
		if of := len(want.Variables) > 0; of && marks != 2+1 || !of && marks != 3+1 { // and that of refusals
			t.Errorf("%s: marks %+v", b.Name, b.Marks)
		}
		if b.Why != "" {
			t.Errorf("%s: %s", b.Name, b.Why)
		}
	}
	for path, want := range map[string]int{"nothing": 404, "fleet?range=1y": 400, "fleet?at=now": 400, `service?service="}`: 200} {
		if _, code := get(path); code != want {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
	mesh.Series = sampled{eventful(t, 10).store}
	if b, _ := get("fleet?range=15m&at=2026-01-02T03:05:00Z"); !strings.Contains(b.Why, "budget of metrics is full") {
		t.Errorf("it does not say that series were refused: %q", b.Why)
	}
	mesh.Series = series.New(series.Options{Interval: time.Second, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if b, code := get("service"); code != 200 || !strings.Contains(b.Why, "starting") || len(b.Panels) == 0 {
		t.Errorf("while the store starts: %d %q", code, b.Why)
	}
}

// The files are what Grafana imports: no panel is over another one, and each query is there.
func TestDashboardFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "grafana")
	c := newDashboards()
	var out bytes.Buffer
	c.SetOut(&out)
	c.SetArgs([]string{dir})
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	for _, b := range board.All() {
		path := filepath.Join(dir, "weft-"+b.Name+".json")
		if !strings.Contains(out.String(), path+"\n") {
			t.Errorf("it did not say %s: %s", path, out.String())
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var d struct {
			UID, Title string
			Templating struct{ List []struct{ Name string } }
			Panels     []struct {
				ID      int
				GridPos struct{ X, Y, W, H int }
				Targets []struct{ Expr, RefID string }
			}
		}
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		if d.UID != "weft-"+b.Name || !strings.Contains(d.Title, b.Title) || len(d.Templating.List) != len(b.Variables)+1 || len(d.Panels) != len(b.Panels) {
			t.Errorf("%s: %s", path, text)
		}
		places := map[[2]int]bool{}
		for i, p := range d.Panels {
			place := [2]int{p.GridPos.X, p.GridPos.Y}
			if places[place] || p.GridPos.X%p.GridPos.W != 0 || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.Y%p.GridPos.H != 0 || p.ID != i+1 {
				t.Errorf("%s: panel %d lies at %+v", path, p.ID, p.GridPos)
			}
			places[place] = true
			for n, q := range b.Panels[i].Queries {
				if len(p.Targets) != len(b.Panels[i].Queries) || p.Targets[n].Expr != q.Expr || p.Targets[n].RefID != string(rune('A'+n)) {
					t.Errorf("%s: panel %d has %+v", path, p.ID, p.Targets)
				}
			}
		}
	}
}

// eventfulStore is one of metrics in which every family has figures.
// roomy is a budget that is never full here.
const roomy = 1000

// sampled is a store that was filled by hand, each 15 s of its own time.
type sampled struct{ *series.Store }

func (sampled) Interval() time.Duration { return 15 * time.Second }

type eventfulStore struct {
	store  *series.Store
	server *httptest.Server
}

func eventful(t *testing.T, budget int) eventfulStore {
	t.Helper()
	now := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	edges := metrics.NewEdges(func(string) []uint32 { return []uint32{503} })
	var tookHere changes
	server := func(emit metrics.Emit) {
		tookHere.took(120 * time.Millisecond)
		tookHere.figures(now, func(f metrics.Figure) {
			if f.Family == changeTime {
				emit(f)
			}
		})
		for _, f := range serverFamilies {
			if f.Kind == metrics.Histogram {
				continue
			}
			values := make([]string, len(f.Labels))
			for i, label := range f.Labels {
				values[i] = map[string]string{"namespace": "shop", "service": "reviews", "application": "reviews", "version": "v1"}[label]
			}
			emit(metrics.Figure{Family: f, Labels: values, Value: float64(now.Unix() % 1000)})
		}
	}
	store := series.New(series.Options{
		Dir: t.TempDir() + "/m", Interval: time.Hour, Retention: time.Hour, Size: 1 << 30, Series: budget, Now: func() time.Time { return now },
		Sources: []func(metrics.Emit){func(emit metrics.Emit) { edges.Figures(allPlain, emit) }, server}, Families: slices.Concat(serverFamilies, metrics.EdgeFamilies), Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = store.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	for range 16 {
		now = now.Add(15 * time.Second)
		buckets := make([]uint64, len(model.LatencyBounds)+1)
		buckets[3] = 9
		edges.Record(metrics.End{Namespace: "shop", App: "frontend", Version: "v1"}, model.TrafficReport{Edges: []model.EdgeCounters{
			{Cluster: "reviews.shop.svc.cluster.local:9080/v1", Requests: 9, Errors: 3, Retries: 1, Classes: model.Classes{1: 6, 4: 2}, Statuses: map[uint32]uint64{503: 2}, Latency: buckets,
				Troubles: model.Troubles{Timeouts: 1, Exhausted: 1, Overflows: 1, Unconnected: 1}, Open: 30_000, Sent: 500, Received: 5000},
		}}, now)
		var err error
		_ = process.Until(time.Minute, func() error {
			if err = store.Sample(ctx); errors.Is(err, series.ErrStarting) {
				return err
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s := eventfulStore{store, httptest.NewServer(store.Handler())}
	t.Cleanup(s.server.Close)
	return s
}

func allPlain(clusters []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range clusters {
		all[name] = true
	}
	return all
}

func (s eventfulStore) ask(t *testing.T, path string, form url.Values, into any) {
	t.Helper()
	response, err := s.server.Client().Get(s.server.URL + series.Prefix + "/api/v1/" + path + "?" + form.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var a struct {
		Error string
		Data  json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&a); err != nil || a.Error != "" {
		t.Fatalf("%s %v: %s %v", path, form, a.Error, err)
	}
	if err := json.Unmarshal(a.Data, into); err != nil {
		t.Fatal(err)
	}
}

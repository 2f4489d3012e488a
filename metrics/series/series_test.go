package series_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunks"

	"weft.dev/metrics"
	"weft.dev/metrics/series"
	"weft.dev/model"
	"weft.dev/test/process"
)

var (
	calls  = &metrics.Family{Name: "calls_total", Kind: metrics.Counter, Help: "Calls.", Labels: []string{"to", "status"}}
	held   = &metrics.Family{Name: "held", Kind: metrics.Gauge, Help: "Held."}
	took   = &metrics.Family{Name: "took_seconds", Kind: metrics.Histogram, Help: "Took.", Labels: []string{"to"}}
	origin = time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
)

const interval = 15 * time.Second

// shelf is a store whose time and figures the test sets.
type shelf struct {
	t       *testing.T
	options series.Options
	store   *series.Store
	now     time.Time
	figures []metrics.Figure
	log     bytes.Buffer // read it while nothing runs
	logged  sync.Mutex
	server  *httptest.Server
	stop    func()
}

func (s *shelf) Write(p []byte) (int, error) {
	s.logged.Lock()
	defer s.logged.Unlock()
	return s.log.Write(p)
}

func (s *shelf) said() string {
	s.logged.Lock()
	defer s.logged.Unlock()
	return s.log.String()
}

// open starts a store in a folder; it stops with the test.
func open(t *testing.T, dir string, change ...func(*series.Options)) *shelf {
	t.Helper()
	return openAt(t, origin, dir, change...)
}

func openAt(t *testing.T, now time.Time, dir string, change ...func(*series.Options)) *shelf {
	t.Helper()
	s := &shelf{t: t, now: now}
	s.options = series.Options{
		Dir: dir, Interval: time.Hour, Retention: 15 * 24 * time.Hour, Size: 1 << 30, Series: 1000,
		Sources: []func(metrics.Emit){func(emit metrics.Emit) {
			for _, f := range s.figures {
				emit(f)
			}
		}},
		Families: []*metrics.Family{calls, held, took},
		Now:      func() time.Time { return s.now },
		Log:      slog.New(slog.NewTextHandler(s, nil)),
	}
	for _, c := range change {
		c(&s.options)
	}
	s.begin()
	return s
}

func (s *shelf) begin() {
	s.store = series.New(s.options)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.store.Run(ctx)
	}()
	s.server = httptest.NewServer(s.store.Handler())
	s.stop = sync.OnceFunc(func() {
		cancel()
		<-ended
		s.server.Close()
	})
	s.t.Cleanup(s.stop)
}

// sample goes one interval on, and stores what the figures stand at then.
func (s *shelf) sample(figures ...metrics.Figure) {
	s.t.Helper()
	s.now = s.now.Add(interval)
	s.figures = figures
	if err := s.trySample(); err != nil {
		s.t.Fatal(err)
	}
}

// trySample waits for the store to be open.
func (s *shelf) trySample() (err error) {
	_ = process.Until(time.Minute, func() error {
		if err = s.store.Sample(context.Background()); errors.Is(err, series.ErrStarting) {
			return err
		}
		return nil
	})
	return err
}

type answer struct {
	code      int
	Status    string          `json:"status"`
	ErrorType string          `json:"errorType"`
	Error     string          `json:"error"`
	Data      json.RawMessage `json:"data"`
}

func (s *shelf) get(path string, form url.Values) answer {
	s.t.Helper()
	response, err := http.Get(s.server.URL + series.Prefix + "/api/v1/" + path + "?" + form.Encode())
	return s.read(response, err)
}

func (s *shelf) read(response *http.Response, err error) (a answer) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		s.t.Fatalf("%v: %s", err, text)
	}
	a.code = response.StatusCode
	return a
}

// value is that of a query whose answer is one series, now.
func (s *shelf) value(query string) float64 {
	s.t.Helper()
	a := s.get("query", url.Values{"query": {query}})
	var data struct {
		Result []struct{ Value [2]any }
	}
	if err := json.Unmarshal(a.Data, &data); err != nil || len(data.Result) != 1 {
		s.t.Fatalf("%s: want one series: %d %s %s", query, a.code, a.Error, a.Data)
	}
	v, err := strconv.ParseFloat(fmt.Sprint(data.Result[0].Value[1]), 64)
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return v
}

func (s *shelf) wants(query string, want float64) {
	s.t.Helper()
	if got := s.value(query); math.Abs(got-want) > 1e-9 {
		s.t.Errorf("%s is %v, want %v", query, got, want)
	}
}

func (s *shelf) nothing(query string) {
	s.t.Helper()
	if a := s.get("query", url.Values{"query": {query}}); a.code != http.StatusOK || !strings.Contains(string(a.Data), `"result":[]`) {
		s.t.Errorf("%s: want no series: %d %s %s", query, a.code, a.Error, a.Data)
	}
}

func count(to, status string, n float64) metrics.Figure {
	return metrics.Figure{Family: calls, Labels: []string{to, status}, Value: n}
}

// latencies is a histogram with so many in the bucket of each time.
func latencies(n uint64, times ...time.Duration) metrics.Figure {
	buckets := make([]uint64, len(model.LatencyBounds)+1)
	for _, d := range times {
		buckets[metrics.Bucket(d)] += n
	}
	return metrics.Figure{Family: took, Labels: []string{"shop"}, Buckets: buckets}
}

// The first calls of an edge count, and those after it was quiet.
func TestCounters(t *testing.T) {
	s := open(t, t.TempDir()+"/m")
	s.sample(count("shop", "2xx", 30))
	s.wants(`increase(calls_total[1m])`, 30)
	s.sample(count("shop", "2xx", 30), count("shop", "5xx", 6), metrics.Figure{Family: held, Value: 7})
	s.wants(`calls_total{status="2xx"}`, 30)
	s.wants(`sum by (to) (increase(calls_total[1m]))`, 36)
	s.wants(`held`, 7)
	s.sample(count("shop", "2xx", 30), count("shop", "5xx", 6))
	s.nothing(`held`) // at once: it is not there any more
	for range int(time.Hour / interval) {
		s.sample(count("shop", "2xx", 30), count("shop", "5xx", 6))
	}
	s.nothing(`calls_total`)
	s.sample(count("shop", "2xx", 30), count("shop", "5xx", 6))
	s.sample(count("shop", "2xx", 42), count("shop", "5xx", 6))
	s.wants(`calls_total`, 42)
	s.wants(`calls_total - calls_total offset 15s`, 12)
}

// A figure that moves just when it was given up is not lost.
func TestMovedJustAsItStopped(t *testing.T) {
	s := open(t, t.TempDir()+"/m")
	for range int(time.Hour/interval) + 2 {
		s.sample(count("shop", "2xx", 30))
	}
	s.nothing(`calls_total`)
	s.sample(count("shop", "2xx", 31))
	s.wants(`calls_total`, 31)
	s.sample(count("shop", "2xx", 33))
	s.wants(`calls_total`, 33)
}

// Quantiles are those that `weft edges` and releases see.
func TestHistograms(t *testing.T) {
	s := open(t, t.TempDir()+"/m")
	first := latencies(1, 300*time.Microsecond, 7*time.Millisecond, 7*time.Millisecond, time.Second)
	s.sample(first)
	s.wants(`histogram_count(took_seconds)`, 4)
	for _, q := range []float64{0.1, 0.5, 0.9, 0.99} {
		s.wants(fmt.Sprintf(`1000 * histogram_quantile(%v, took_seconds)`, q), metrics.Quantile(first.Buckets, q))
		s.wants(fmt.Sprintf(`1000 * histogram_quantile(%v, sum(increase(took_seconds[1m])))`, q), metrics.Quantile(first.Buckets, q))
	}
	for range int(time.Hour/interval) + 1 {
		s.sample(first)
	}
	s.nothing(`took_seconds`)
	s.sample(first)
	s.sample(latencies(3, 300*time.Microsecond, 7*time.Millisecond, 7*time.Millisecond, time.Second))
	s.wants(`histogram_count(took_seconds - took_seconds offset 15s)`, 8)
}

// What the folder holds while the store runs is what a killed process leaves.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir+"/m")
	s.sample(count("shop", "2xx", 30), latencies(1, time.Second))
	s.sample(count("shop", "2xx", 90), latencies(2, time.Second))
	if err := os.CopyFS(dir+"/left", os.DirFS(dir+"/m")); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, s.now.Add(2*time.Second), dir+"/left") // with counters at zero
	again.sample(count("shop", "2xx", 8), latencies(4, time.Second))
	again.wants(`calls_total offset 17s`, 90)
	again.wants(`resets(calls_total[1m])`, 1)
	again.wants(`increase(calls_total[1m])`, 98)
	again.wants(`histogram_count(took_seconds)`, 4)
}

// A block that cannot be read is set aside, once, and said; what is in other blocks and in the log stays.
func TestDamagedBlock(t *testing.T) {
	dir := t.TempDir() + "/m"
	well, bad := block(t, dir, "well", origin.Add(-4*time.Hour)), block(t, dir, "bad", origin.Add(-8*time.Hour))
	s := open(t, dir)
	s.sample(count("shop", "2xx", 30))
	s.wants(`count(count_over_time({to=~"well|bad|shop"}[1d]))`, 3)
	s.stop()
	if err := os.Truncate(filepath.Join(bad, "index"), 100); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		s = openAt(t, s.now, dir)
		s.sample(count("shop", "2xx", float64(40+round)))
		s.wants(`count(count_over_time({to=~"well|bad|shop"}[1d]))`, 2)
		s.wants(`count_over_time(calls_total{to="well"}[1d])`, 7)
		s.wants(`sum_over_time(calls_total{to="shop"}[1d])`, []float64{70, 111}[round])
		_, line, said := strings.Cut(s.said(), "could not be read")
		line, _, _ = strings.Cut(line, "\n")
		if said != (round == 0) || said && (!strings.Contains(line, filepath.Base(bad)) || strings.Contains(line, filepath.Base(well)) || !strings.Contains(line, dir+".damaged")) {
			t.Errorf("said, when it was opened for the %d. time: %s", round+1, s.said())
		}
		s.stop()
	}
	if _, err := os.Stat(filepath.Join(dir+".damaged", filepath.Base(bad), "index")); err != nil {
		t.Error(err)
	}
}

// block is one of the store, with a series of its own that has seven samples.
func block(t *testing.T, dir, to string, at time.Time) (path string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	of := labels.FromStrings("__name__", "calls_total", "to", to)
	path, err := tsdb.CreateBlock([]storage.Series{storage.NewListSeries(of, chunks.GenerateSamples(int(at.UnixMilli()), 7))}, dir, 0, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A store of which nothing can be read is set aside, and said; an empty one takes its place.
func TestDamaged(t *testing.T) {
	dir := t.TempDir() + "/m"
	s := open(t, dir)
	s.sample(count("shop", "2xx", 30))
	s.stop()
	for round := range 2 {
		if err := os.RemoveAll(dir + "/wal"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/wal", nil, 0o600); err != nil { // no folder
			t.Fatal(err)
		}
		s = open(t, dir)
		s.sample(count("shop", "2xx", float64(5+round)))
		s.wants(`calls_total`, float64(5+round))
		s.wants(`count(count_over_time(calls_total[1h]))`, 1)
		if !strings.Contains(s.said(), "a new one begins") || !strings.Contains(s.said(), dir+".damaged") {
			t.Errorf("said: %s", s.said())
		}
		s.stop()
	}
}

// The end of the log that a crash of the machine tore is cut off, the rest stays.
func TestTornLog(t *testing.T) {
	dir := t.TempDir() + "/m"
	s := open(t, dir)
	s.sample(count("shop", "2xx", 30))
	s.sample(count("shop", "2xx", 40))
	s.stop()
	log, err := os.OpenFile(dir+"/wal/00000000", os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteString("\x05torn by a crash"); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, s.now, dir)
	again.sample(count("shop", "2xx", 50))
	again.wants(`calls_total offset 15s`, 40)
	again.wants(`calls_total`, 50)
}

// A second server of the same folder does not set the first one's store aside.
func TestLocked(t *testing.T) {
	dir := t.TempDir() + "/m"
	first := open(t, dir)
	first.sample(count("shop", "2xx", 30))
	second := open(t, dir)
	if err := second.trySample(); err == nil || !strings.Contains(err.Error(), "another server uses it") {
		t.Errorf("a second store of the folder: %v", err)
	}
	if a := second.get("query", url.Values{"query": {"1"}}); a.code != http.StatusServiceUnavailable || !strings.Contains(a.Error, dir) {
		t.Errorf("its answer is %d %q, want why there is none", a.code, a.Error)
	}
	first.sample(count("shop", "2xx", 40))
	first.wants(`calls_total`, 40)
	if !strings.Contains(second.said(), "the mesh needs none") {
		t.Errorf("said: %s", second.said())
	}
}

// many is how many series come beyond the budget; the budget is a twentieth of it, as 50,000 are of a million.
var many = flag.Int("many", 20_000, "series that come where there is no room for them")

// bytesEach is what a series of the budget may cost, with room for the noise of a test.
const bytesEach = 8 << 10

// Beyond the budget new series are refused, whatever comes, and take no memory; those that are there go on.
func TestBudget(t *testing.T) {
	budget, flood := *many/20, *many
	s := open(t, t.TempDir()+"/m", func(o *series.Options) { o.Series = budget })
	s.sample(count("shop", "2xx", 30))
	all := []metrics.Figure{}
	for i := range flood {
		all = append(all, count(fmt.Sprint("flood-", i), "2xx", 50))
	}
	all = append(all, count("shop", "2xx", 45))
	before := heap()
	s.sample(all...)
	if grown := heap() - before; grown > budget*bytesEach {
		t.Errorf("%d series take %d bytes, of which %d may be kept", flood, grown, budget)
	} else {
		t.Logf("%d series, of which %d are kept, take %d KB", flood, budget, grown>>10)
	}
	s.wants(`weft_metrics_series_refused`, float64(flood+1+2-budget))
	s.wants(`count({__name__!=""})`, float64(budget))
	s.wants(`calls_total{to="shop"}`, 45)
	if !strings.Contains(s.said(), "--metrics-series") || strings.Count(s.said(), "budget") != 2 { // once, and its value
		t.Errorf("said: %s", s.said())
	}
	s.sample(all...)
	s.wants(`weft_metrics_series`, float64(budget))
	s.wants(`weft_metrics_series_refused`, float64(flood+1+2-budget))
	if strings.Count(s.said(), "--metrics-series") != 1 {
		t.Errorf("said again: %s", s.said())
	}
	s.sample(count("shop", "2xx", 45))
	s.wants(`weft_metrics_series_refused`, 0)
	if !strings.Contains(s.said(), "has room again") {
		t.Errorf("said: %s", s.said())
	}
}

// heap is what objects take now.
func heap() int {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// What found no room did not happen when there is some again.
func TestRefusedStartsWhereItStands(t *testing.T) {
	s := open(t, t.TempDir()+"/m", func(o *series.Options) { o.Series = 3 })
	s.sample(count("a", "2xx", 10), count("b", "2xx", 20))
	s.wants(`calls_total`, 10)
	for s.value(`weft_metrics_series_refused`) > 0 { // until the store lets go of a, after some two hours
		s.sample(count("b", "2xx", 20))
	}
	s.sample(count("b", "2xx", 25))
	s.wants(`calls_total`, 25)
	s.wants(`min_over_time(calls_total{to="b"}[1d])`, 20)
}

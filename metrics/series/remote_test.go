package series_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weft.dev/metrics/series"
	"weft.dev/test/process"
	"weft.dev/test/prometheus"
)

func remote(t *testing.T, text string) (*series.Remote, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "remote.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return series.LoadRemote(path)
}

// A Prometheus that is written to has what weft has, with the labels of this server. What it did
// not take at first it gets later, and meanwhile nothing waits for it.
func TestRemoteWrite(t *testing.T) {
	peer := prometheus.Start(t, filepath.Join(t.TempDir(), "peer"), "", "--web.enable-remote-write-receiver")
	to, err := url.Parse(peer)
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Bool
	var refused atomic.Int64
	away.Store(true)
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			refused.Add(1)
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		forward.ServeHTTP(w, r)
	}))
	defer gate.Close()
	there, err := remote(t, fmt.Sprintf("global: {external_labels: {site: here}}\nremote_write: [{url: %s/api/v1/write, queue_config: {batch_send_deadline: 100ms}}]", gate.URL))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	s := openAt(t, now, t.TempDir()+"/m", func(o *series.Options) { o.Remote = there })
	for i := range 4 {
		s.sample(count("shop", "2xx", float64(10*(i+1))), latencies(uint64(i+1), 7*time.Millisecond, time.Second))
	}
	s.wants(`calls_total`, 40)
	until(t, func() error {
		if refused.Load() == 0 {
			return fmt.Errorf("nobody was asked")
		}
		return nil
	})
	away.Store(false)
	ask := func(query string) result {
		response, err := http.Get(peer + "/api/v1/query?" + url.Values{"query": {query}, "time": {fmt.Sprint(s.now.Unix())}}.Encode())
		return resultOf(t, s.read(response, err))
	}
	for weft, theirs := range map[string]string{
		`sum(calls_total)`:                                         `sum(calls_total{site="here",to="shop",status="2xx"})`,
		`sum(calls_total offset 45s)`:                              `sum(calls_total offset 45s)`,
		`sum(weft_metrics_series)`:                                 `sum(weft_metrics_series{site="here"})`,
		`sum(increase(calls_total[1m]))`:                           `sum(increase(calls_total[1m]))`,
		`histogram_quantile(0.9, sum(increase(took_seconds[1m])))`: `histogram_quantile(0.9, sum by (le) (increase(took_seconds_bucket{site="here"}[1m])))`,
	} {
		want := s.get("query", url.Values{"query": {weft}})
		until(t, func() error {
			if got, want := ask(theirs), resultOf(t, want); len(got.series) != 1 || !slices.EqualFunc(got.series, want.series, aboutEqual) {
				return fmt.Errorf("%s: %v, weft says %v", theirs, got, want)
			}
			return nil
		})
	}
}

func until(t *testing.T, check func() error) {
	t.Helper()
	if err := process.Until(30*time.Second, check); err != nil {
		t.Fatal(err)
	}
}

// What weft would not do is refused before it starts.
func TestRemoteFile(t *testing.T) {
	for text, want := range map[string]string{
		"":                   "no remote_write",
		"remote_write: [{}]": "url",
		"remote_wrote: []":   "remote_wrote",
		"remote_write: [{url: http://a/}]\nscrape_configs: [{job_name: a}]": "neither scrapes nor alerts",
	} {
		if _, err := remote(t, text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "remote.yaml") && want != "url" {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := series.LoadRemote("/nowhere"); err == nil {
		t.Error("a file that is not there is taken")
	}
}

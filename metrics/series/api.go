package series

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"

	"weft.dev/metrics"
)

// Prefix of every path: what a client of Prometheus takes for the address of its server.
const Prefix = "/weft/metrics"

// maxForm is how long a query may be that comes in a body.
const maxForm = 1 << 20

// badData is an error of who asks, unavailable one that goes away.
type (
	badData     struct{ error }
	unavailable struct{ error }
)

// Handler answers what Grafana asks a Prometheus, and who scrapes this server.
// Authentication and authorisation happen before a request arrives here.
func (s *Store) Handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, answer func(*http.Request) (any, error)) {
		for _, method := range []string{"GET ", "POST "} {
			mux.HandleFunc(method+Prefix+"/api/v1/"+path, func(w http.ResponseWriter, r *http.Request) {
				r.Body = http.MaxBytesReader(w, r.Body, maxForm)
				reply(w, r, answer)
			})
		}
	}
	handle("query", s.answerQuery)
	handle("query_range", s.answerRange)
	handle("series", s.answerSeries)
	handle("labels", s.answerLabels)
	handle("label/{name}/values", s.answerLabels)
	handle("metadata", s.answerMetadata)
	handle("status/buildinfo", func(*http.Request) (any, error) { return buildInfo, nil })
	handle("rules", func(*http.Request) (any, error) { return map[string]any{"groups": []any{}}, nil })
	mux.HandleFunc("GET "+Prefix+"/scrape", s.scrape)
	return mux
}

// buildInfo is the version of Prometheus whose API this is: Grafana chooses by it what to ask.
var buildInfo = map[string]string{"version": "3.16.0", "application": "weft"}

// envelope is that of every answer of Prometheus.
type envelope struct {
	Status    string   `json:"status"`
	Data      any      `json:"data,omitempty"`
	ErrorType string   `json:"errorType,omitempty"`
	Error     string   `json:"error,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Infos     []string `json:"infos,omitempty"`
}

func reply(w http.ResponseWriter, r *http.Request, answer func(*http.Request) (any, error)) {
	err := r.ParseForm()
	var data any
	if err != nil {
		err = badData{err}
	} else {
		data, err = answer(r)
	}
	status, body := http.StatusOK, envelope{Status: "success", Data: data}
	if with, ok := data.(envelope); ok {
		body = with
	}
	if err != nil {
		kind := ""
		status, kind = classOf(err)
		body = envelope{Status: "error", ErrorType: kind, Error: err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// classOf is Prometheus' own word for an error, and its status.
func classOf(err error) (status int, kind string) {
	var timeout promql.ErrQueryTimeout
	var canceled promql.ErrQueryCanceled
	switch {
	case errors.As(err, &badData{}):
		return http.StatusBadRequest, "bad_data"
	case errors.As(err, &unavailable{}):
		return http.StatusServiceUnavailable, "unavailable"
	case errors.As(err, &timeout):
		return http.StatusServiceUnavailable, "timeout"
	case errors.As(err, &canceled):
		return http.StatusServiceUnavailable, "canceled"
	}
	return http.StatusUnprocessableEntity, "execution"
}

func (s *Store) answerQuery(r *http.Request) (any, error) {
	at, err := timeOf(r, "time", s.options.Now())
	if err != nil {
		return nil, err
	}
	return s.evaluate(r, span{start: at, end: at})
}

func (s *Store) answerRange(r *http.Request) (any, error) {
	at, err := spanOf(r, time.Time{}, time.Time{})
	if err == nil {
		at.step, err = durationOf(r.Form.Get("step"))
	}
	if err != nil {
		return nil, err
	}
	if err := at.check(); err != nil {
		return nil, badData{err}
	}
	return s.evaluate(r, at)
}

// evaluate answers with a vector, a matrix or a scalar, encoded while it is there.
func (s *Store) evaluate(r *http.Request, at span) (any, error) {
	var answer envelope
	var failed error
	text := r.Form.Get("query")
	err := s.query(r.Context(), text, at, func(result *promql.Result) {
		value, err := json.Marshal(result.Value)
		if err != nil {
			failed = err
			return
		}
		answer = envelope{Status: "success", Data: map[string]any{"resultType": result.Value.Type(), "result": json.RawMessage(value)}}
		answer.Warnings, answer.Infos = result.Warnings.AsStrings(text, 10, 10)
	})
	return answer, cmp.Or(err, failed)
}

func (s *Store) answerSeries(r *http.Request) (any, error) {
	which, err := s.selectionOf(r)
	if err == nil && len(which.sets) == 0 {
		err = badData{errors.New("no match[]: want at least one selector")}
	}
	if err != nil {
		return nil, err
	}
	found, err := s.series(r.Context(), which)
	if found == nil {
		found = []labels.Labels{}
	}
	return found, err
}

func (s *Store) answerLabels(r *http.Request) (any, error) {
	which, err := s.selectionOf(r)
	if err != nil {
		return nil, err
	}
	found, err := s.names(r.Context(), r.PathValue("name"), which)
	return append([]string{}, slices.Sorted(maps.Keys(found))...), err
}

func (s *Store) answerMetadata(r *http.Request) (any, error) {
	type about struct {
		Type metrics.Kind `json:"type"`
		Help string       `json:"help"`
		Unit string       `json:"unit"`
	}
	all := map[string][]about{}
	for _, f := range s.families() {
		if only := r.Form.Get("metric"); only == "" || only == f.Name {
			all[f.Name] = []about{{Type: f.Kind, Help: f.Help}}
		}
	}
	return all, nil
}

func (s *Store) families() []*metrics.Family {
	return append(slices.Clone(s.options.Families), ownFamilies...)
}

func (s *Store) selectionOf(r *http.Request) (selection, error) {
	now := s.options.Now()
	at, err := spanOf(r, now.Add(-s.options.Retention), now)
	if err != nil {
		return selection{}, err
	}
	sets, err := language.ParseMetricSelectors(r.Form["match[]"])
	if err != nil {
		return selection{}, badData{err}
	}
	return selection{at, sets}, nil
}

// spanOf is from start to end; one that is not given is the default, and an error if that is zero.
func spanOf(r *http.Request, start, end time.Time) (at span, err error) {
	if at.start, err = timeOf(r, "start", start); err != nil {
		return at, err
	}
	at.end, err = timeOf(r, "end", end)
	return at, err
}

// Times beyond these overflow what the store counts in.
var (
	firstTime = time.UnixMilli(math.MinInt64 / 1000)
	lastTime  = time.UnixMilli(math.MaxInt64 / 1000)
)

func timeOf(r *http.Request, name string, otherwise time.Time) (time.Time, error) {
	text := r.Form.Get(name)
	if text == "" && !otherwise.IsZero() {
		return otherwise, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < float64(lastTime.Unix()) {
		return time.UnixMilli(int64(math.Round(seconds * 1000))), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || at.Before(firstTime) || at.After(lastTime) {
		return at, badData{fmt.Errorf("%s %q: want seconds since 1970, or a time such as 2026-01-02T15:04:05Z", name, text)}
	}
	return at, nil
}

func durationOf(text string) (time.Duration, error) {
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && math.Abs(seconds) < math.MaxInt64/1e9 {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, badData{fmt.Errorf("step %q: want seconds, or a duration such as 15s", text)}
	}
	return d, nil
}

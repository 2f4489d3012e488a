package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"weft.dev/trace"
)

const fewTraces = 50 // when nobody says how many

// Traces is an answer to a search.
type Traces struct {
	Traces []trace.Summary `json:"traces"` // those that failed first, then the longest
	Store  trace.Counts    `json:"store"`
}

func traces(store *trace.Store, r *http.Request, now time.Time) (any, error) {
	q, err := traceQuery(r.URL.Query(), now)
	if err != nil {
		return nil, err
	}
	return Traces{store.Search(q), store.Counts()}, nil
}

func traceQuery(values url.Values, now time.Time) (q trace.Query, err error) {
	q = trace.Query{
		Service: values.Get("service"), Version: values.Get("version"), Calls: values.Get("calls"), Route: values.Get("route"),
		Failed: values.Get("failed") == "true", Limit: fewTraces,
	}
	durations := map[string]time.Duration{}
	for _, name := range []string{"slower", "since", "until"} {
		text := values.Get(name)
		if text == "" {
			continue
		}
		if durations[name], err = time.ParseDuration(text); err != nil || durations[name] < 0 {
			return q, Invalid("%s %q: want a duration, e.g. 100ms or 1h", name, text)
		}
	}
	q.Slower = durations["slower"]
	if back, ok := durations["since"]; ok {
		q.Since = now.Add(-back)
	}
	if back, ok := durations["until"]; ok {
		q.Until = now.Add(-back)
	}
	for _, text := range values["attribute"] {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return q, Invalid("attribute %q: want NAME=VALUE", text)
		}
		q.Attributes = append(q.Attributes, trace.Attribute{Name: name, Value: value})
	}
	if text := values.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > trace.MaxFound {
			return q, Invalid("limit %q: want a number from 1 to %d", text, trace.MaxFound)
		}
	}
	return q, nil
}

func oneTrace(store *trace.Store, r *http.Request) (any, error) {
	var id trace.ID
	if err := id.UnmarshalText([]byte(r.PathValue("id"))); err != nil {
		return nil, Invalid("%w", err)
	}
	t, ok := store.Get(id)
	if !ok {
		return nil, fmt.Errorf("trace %s: %w: it was not sampled, its spans have not come yet, or it is older than what is kept", id, ErrNotFound)
	}
	return t, nil
}

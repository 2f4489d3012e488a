package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// propagated are the headers that a service passes on to what it calls: the
// trace, and the private addresses of versions.
var propagated = []string{"Traceparent", "X-Request-Id", "X-Weft-Version", "End-User"}

var client = &http.Client{
	Timeout:   10 * time.Second,
	Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 64},
}

// get calls another service by name and reads its JSON answer.
func get(in *http.Request, url string) (json.RawMessage, error) {
	out, err := http.NewRequestWithContext(in.Context(), http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	for _, name := range propagated {
		if value := in.Header.Get(name); value != "" {
			out.Header.Set(name, value)
		}
	}
	response, err := client.Do(out)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, &statusError{url, response.Status, response.Header.Get(faultHeader)}
	}
	return body, nil
}

// faultHeader names, on a failed answer, the version whose bug it is.
const faultHeader = "X-Shop-Fault"

// statusError is an answer other than 200.
type statusError struct{ url, status, fault string }

func (e *statusError) Error() string { return "GET " + e.url + ": " + e.status }

// answer writes v as JSON, or the error as 502.
func answer(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		if status := (*statusError)(nil); errors.As(err, &status) && status.fault != "" {
			w.Header().Set(faultHeader, status.fault)
		}
		w.WriteHeader(http.StatusBadGateway)
		v = map[string]string{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(v)
}

// faulty makes a service slow or wrong, as its options ask.
func faulty(opts options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := wait(r.Context(), opts.delay); err != nil {
			return
		}
		if rand.Float64()*100 < opts.errorRate {
			w.Header().Set(faultHeader, opts.version)
			http.Error(w, `{"error":"bug in `+opts.version+`"}`, http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package trace

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	queueBytes  = 16 << 20    // that wait for whom spans are sent on to; more is dropped
	batchBytes  = 1 << 20     // that are sent at once
	batchWait   = time.Second // for more to send with it
	sendTime    = 10 * time.Second
	firstPause  = time.Second // before a message is sent again
	longestWait = 30 * time.Second
)

// Destination is who takes OTLP.
type Destination struct {
	where string
	send  func(context.Context, *collectorv1.ExportTraceServiceRequest) (again bool, err error)
}

// ParseDestination reads a URL: grpc://HOST:PORT, grpcs for TLS, or http and https, at
// /v1/traces if it has no path. It calls nobody.
func ParseDestination(address string) (d Destination, err error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return d, fmt.Errorf("%q: want grpc://HOST:PORT, grpcs://HOST:PORT, http://HOST:PORT or https://HOST:PORT", address)
	}
	d.where = u.Redacted()
	switch u.Scheme {
	case "grpc", "grpcs":
		secure := insecure.NewCredentials()
		if u.Scheme == "grpcs" {
			secure = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
		}
		conn, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(secure))
		if err != nil {
			return d, err
		}
		d.send = overGRPC(collectorv1.NewTraceServiceClient(conn))
	case "http", "https":
		if u.Path == "" || u.Path == "/" {
			u.Path = "/v1/traces"
		}
		d.send = overHTTP(u.String())
	default:
		return d, fmt.Errorf("%q: want grpc, grpcs, http or https, not %s", address, u.Scheme)
	}
	return d, nil
}

// Exporter sends spans on.
type Exporter struct {
	Destination
	limit int    // bytes that wait; more is dropped
	store *Store // where what is dropped is counted
	log   *slog.Logger

	mu      sync.Mutex
	waiting []*tracev1.ResourceSpans
	bytes   int
	more    chan struct{}
}

// NewExporter makes one.
func NewExporter(to Destination, store *Store, log *slog.Logger) *Exporter {
	return &Exporter{Destination: to, limit: queueBytes, store: store, log: log, more: make(chan struct{}, 1)}
}

// add has spans sent on, unless too many wait already.
func (e *Exporter) add(of *tracev1.ResourceSpans) bool {
	size := proto.Size(of)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.bytes+size > e.limit {
		return false
	}
	e.waiting, e.bytes = append(e.waiting, of), e.bytes+size
	select {
	case e.more <- struct{}{}:
	default:
	}
	return true
}

// next is what is sent at once; it still counts as waiting.
func (e *Exporter) next() (batch []*tracev1.ResourceSpans, size int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for n < len(e.waiting) && size < batchBytes {
		size += proto.Size(e.waiting[n])
		n++
	}
	batch = e.waiting[:n:n]
	e.waiting = e.waiting[n:]
	return batch, size
}

func (e *Exporter) done(size int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bytes -= size
}

// Run sends until ctx ends, and what waits then once more.
func (e *Exporter) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			e.last(context.WithoutCancel(ctx))
			return ctx.Err()
		case <-e.more:
		}
		select {
		case <-ctx.Done():
		case <-time.After(batchWait):
		}
		for ctx.Err() == nil {
			batch, size := e.next()
			if len(batch) == 0 {
				break
			}
			if e.insist(ctx, batch) {
				e.done(size)
			} else {
				e.back(batch)
			}
		}
	}
}

// back has a batch wait again, before all others.
func (e *Exporter) back(batch []*tracev1.ResourceSpans) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting = append(batch, e.waiting...)
}

// insist sends a batch until it is taken or refused for good; false: ctx ended first.
func (e *Exporter) insist(ctx context.Context, batch []*tracev1.ResourceSpans) bool {
	for pause := firstPause; ; pause = min(2*pause, longestWait) {
		again, err := e.once(ctx, batch)
		switch {
		case err == nil:
			return true
		case ctx.Err() != nil:
			return false
		case !again:
			e.lose(batch, err)
			return true
		}
		e.log.Warn("spans are not sent on yet", "to", e.where, "why", err, "again", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// last tries each batch that waits once, until one fails: the others would, too.
func (e *Exporter) last(ctx context.Context) {
	var err error
	for batch, size := e.next(); len(batch) > 0; batch, size = e.next() {
		if err == nil {
			_, err = e.once(ctx, batch)
		}
		if err != nil {
			e.lose(batch, err)
		}
		e.done(size)
	}
}

func (e *Exporter) once(ctx context.Context, batch []*tracev1.ResourceSpans) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	return e.send(ctx, &collectorv1.ExportTraceServiceRequest{ResourceSpans: batch})
}

func (e *Exporter) lose(batch []*tracev1.ResourceSpans, why error) {
	n := uint64(0)
	for _, of := range batch {
		for _, in := range of.ScopeSpans {
			n += uint64(len(in.Spans))
		}
	}
	e.log.Error("spans are not sent on", "to", e.where, "spans", n, "why", why)
	e.store.count(func(c *Counts) { c.Unsent += n })
}

func overGRPC(client collectorv1.TraceServiceClient) func(context.Context, *collectorv1.ExportTraceServiceRequest) (bool, error) {
	return func(ctx context.Context, request *collectorv1.ExportTraceServiceRequest) (again bool, err error) {
		_, err = client.Export(ctx, request)
		switch status.Code(err) { // OTLP says which
		case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss, codes.ResourceExhausted:
			again = true
		}
		return again, err
	}
}

func overHTTP(address string) func(context.Context, *collectorv1.ExportTraceServiceRequest) (bool, error) {
	return func(ctx context.Context, request *collectorv1.ExportTraceServiceRequest) (again bool, err error) {
		body, err := proto.Marshal(request)
		if err != nil {
			return false, err
		}
		q, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
		if err != nil {
			return false, err
		}
		q.Header.Set("Content-Type", "application/x-protobuf")
		r, err := http.DefaultClient.Do(q)
		if err != nil {
			return true, err
		}
		defer r.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(r.Body, 200)) // only to say it
		switch {
		case r.StatusCode < 300:
			return false, nil
		case r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusBadGateway, r.StatusCode == http.StatusServiceUnavailable, r.StatusCode == http.StatusGatewayTimeout:
			again = true
		}
		return again, fmt.Errorf("%s: %s", r.Status, text)
	}
}

package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"weft.dev/model"
	"weft.dev/trace"
)

// tracesFlags say which requests are told of, and what is kept of that.
type tracesFlags struct {
	sample    float64
	b3        bool
	megabytes uint32
	age       time.Duration
	listen    string
	onto      string
	to        trace.Destination // what onto says
}

func (f *tracesFlags) add(c *cobra.Command) {
	c.Flags().Float64Var(&f.sample, "traces-sample", 1, "percentage of requests that proxies tell of where nobody decided before them; 0: proxies tell of none (docs/guides/traces.md)")
	c.Flags().BoolVar(&f.b3, "traces-b3", false, "have proxies read and write headers of B3, too, for applications that pass x-b3-traceid or b3 on, and not traceparent (docs/guides/traces.md)")
	c.Flags().Uint32Var(&f.megabytes, "traces-megabytes", 64, "how much memory traces may take, and as much of DATA/traces; the oldest go first, failed and slow ones last")
	c.Flags().DurationVar(&f.age, "traces-age", 24*time.Hour, "how long a trace is kept at most")
	c.Flags().StringVar(&f.onto, "traces-to", "", "where spans are sent on to by OTLP: grpc://HOST:PORT, grpcs://HOST:PORT, http://HOST:PORT or https://HOST:PORT/PATH; none: nowhere")
	c.Flags().StringVar(&f.listen, "otlp", "", "host:port where applications send spans of their own by OTLP, gRPC and HTTP, without TLS or sign-in; none: nowhere")
}

func (f *tracesFlags) check() error {
	if f.sample < 0 || f.sample > 100 || f.megabytes == 0 || f.age < time.Minute {
		return exitCode{exitUsage, fmt.Errorf("--traces-sample, --traces-megabytes and --traces-age: want 0 to 100, at least 1 and 1m")}
	}
	if f.b3 && f.sample == 0 {
		return exitCode{exitUsage, fmt.Errorf("--traces-b3: with --traces-sample 0 proxies have no tracer; have one of the two")}
	}
	if f.onto == "" {
		return nil
	}
	var err error
	if f.to, err = trace.ParseDestination(f.onto); err != nil {
		return exitCode{exitUsage, fmt.Errorf("--traces-to %w", err)}
	}
	return nil
}

// keepTraces has traces survive the server.
func (m *mesh) keepTraces(flags serveFlags) error {
	journal, err := trace.OpenJournal(filepath.Join(flags.data, "traces"), int64(flags.traces.megabytes)<<20)
	if err != nil {
		return err
	}
	return m.spans.Keep(journal)
}

// wireTraces is part of the wiring.
func (m *mesh) wireTraces(flags serveFlags) {
	m.traces = trace.NewStore(int(flags.traces.megabytes)<<20, flags.traces.age)
	m.spans = trace.NewIntake(m.traces, time.Now)
	if err := m.keepTraces(flags); err != nil {
		m.log.Error("traces are in memory alone: a restart loses them", "why", err)
	}
	m.served = append(m.served, func(ctx context.Context) error {
		return every(ctx, time.Minute, func() { m.traces.Trim(time.Now()) })
	})
	if flags.traces.onto != "" {
		exporter := trace.NewExporter(flags.traces.to, m.traces, m.log)
		m.spans.SendOn(exporter)
		m.served = append(m.served, exporter.Run)
	}
	if flags.traces.listen != "" {
		m.served = append(m.served, func(ctx context.Context) error { return m.serveOTLP(ctx, flags.traces.listen) })
	}
}

// told takes in what a proxy told of requests.
func (m *mesh) told(w model.Registration, r model.SpanReport) error {
	source := m.sourceOf(w)
	return m.spans.FromProxy(trace.Source{
		Namespace: source.Namespace, Service: source.App, Version: source.Version, Workload: cmp.Or(w.Name, source.App),
	}, r)
}

// serveOTLP takes spans of applications until ctx ends.
func (m *mesh) serveOTLP(ctx context.Context, address string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("--otlp %s: %w; choose another one", address, err)
	}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	return serveBy(ctx, listener, &http.Server{Handler: trace.NewReceiver(m.spans).Handler(), Protocols: &protocols})
}

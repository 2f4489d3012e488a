package main

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"weft.dev/api"
	"weft.dev/model"
	"weft.dev/store/serve"
	"weft.dev/tap"
	"weft.dev/web"
)

// tap looks at the workloads that a name stands for, as they come and go.
func (m *mesh) tap(ctx context.Context, of string) (*tap.Listener, error) {
	seen := m.meant(of)
	if len(seen) == 0 {
		return nil, m.noProxy(of)
	}
	if err := m.recordSight(ctx, "tap", seen, "of: "+of); err != nil {
		return nil, err
	}
	listener, err := m.taps.Listen(func() (names []string) {
		for _, w := range m.meant(of) {
			names = append(names, w.Key())
		}
		return names
	})
	if err != nil {
		return nil, web.Invalid("%w", err)
	}
	return listener, nil
}

// switchStats has one proxy tell all, or no longer.
func (m *mesh) switchStats(ctx context.Context, workload string, d time.Duration) error {
	namespace, name, _ := strings.Cut(workload, "/")
	if err := m.recordSight(ctx, "stats", []model.Workload{{Namespace: namespace, Name: name}}, "for: "+d.String()); err != nil {
		return err
	}
	return m.full.set(workload, d, time.Now())
}

// recordSight writes down who looks closely at workloads, before they may: once for each namespace.
func (m *mesh) recordSight(ctx context.Context, verb string, seen []model.Workload, how string) error {
	if m.record == nil {
		return nil
	}
	by, groups := serve.Who(ctx)
	first := map[string]string{}
	for _, w := range seen {
		if first[w.Namespace] == "" {
			first[w.Namespace] = w.Name
		}
	}
	for _, namespace := range model.SortedKeys(first) {
		of := serve.Mutation{By: by, Groups: groups, Verb: verb, Kind: string(api.Workload), Namespace: namespace, Name: first[namespace], Changed: []string{how}}
		if err := m.record(of); err != nil {
			return err
		}
	}
	return nil
}

// askAgain has agents go on for whoever looks, until ctx ends.
func (m *mesh) askAgain(ctx context.Context) error { return every(ctx, tap.Pace, m.taps.Again) }

func (m *mesh) askToTell(workload string, d time.Duration) bool {
	namespace, name, _ := strings.Cut(workload, "/")
	return m.hosts.Tap(namespace, name, d)
}

// complete adds what a proxy does not know: which instance has answered, and where the causes are written.
func (m *mesh) complete(r *tap.Record) {
	m.locate(r.Because)
	host, port, err := net.SplitHostPort(r.Endpoint)
	n, err2 := strconv.ParseUint(port, 10, 32)
	if err != nil || err2 != nil || r.Side == model.TapIn {
		return
	}
	if w, ok := m.compiled.At(host, uint32(n)); ok {
		r.Endpoint, r.Version = w.Key(), w.Version
	}
}

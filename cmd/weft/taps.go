package main

import (
	"context"
	"net"
	"strconv"
	"strings"
	"time"

	"weft.dev/model"
	"weft.dev/tap"
	"weft.dev/web"
)

// tap looks at the workloads that a name stands for, as they come and go.
func (m *mesh) tap(of string) (*tap.Listener, error) {
	if len(m.meant(of)) == 0 {
		return nil, m.noProxy(of)
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

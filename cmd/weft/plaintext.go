package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"google.golang.org/grpc"

	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/xds"
)

// guests are the proxies that no agent stands beside: they come without TLS,
// from this machine, and each is a workload for as long as it is connected.
type guests struct {
	*flow.Source[model.Workload]
	graph      *flow.Graph
	registered *flow.Index[model.Replicas] // by family

	mu    sync.Mutex
	known map[string]*guest
}

// guest is one proxy, which may have several streams for a moment.
type guest struct {
	row          model.Workload
	streams      int
	wholeStreams int // of them, those of state of the world
}

func newGuests(graph *flow.Graph, rows *flow.Source[model.Workload], registered *flow.Collection[model.Replicas]) *guests {
	return &guests{Source: rows, graph: graph, registered: flow.NewIndex(registered, model.Replicas.Families), known: map[string]*guest{}}
}

// What a guest has unless its node metadata says more.
const (
	outboundField = "outbound_port"
	guestAddress  = "127.0.0.1" // nobody calls it
)

// welcome gives the id of the proxy that opened the stream of ctx. It is that of
// a registered workload, whose view it gets, or else of one that it is itself.
func (g *guests) welcome(ctx context.Context, node xds.Node) (string, error) {
	row, err := guestRow(node)
	if err != nil {
		return "", err
	}
	key := row.Key()
	if _, ok := among(g.graph, g.registered, key); ok {
		return key, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	one := g.known[key]
	if one == nil {
		one = &guest{}
		g.known[key] = one
	}
	one.row = row
	one.count(node, 1)
	g.write(key)
	context.AfterFunc(ctx, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		one.count(node, -1)
		g.write(key)
	})
	return key, nil
}

func (one *guest) count(node xds.Node, by int) {
	one.streams += by
	if node.Full {
		one.wholeStreams += by
	}
}

// write makes the row of a guest follow its streams. Called with mu held.
func (g *guests) write(key string) {
	one := g.known[key]
	if one.streams == 0 {
		delete(g.known, key)
		g.graph.Submit(func(tx *flow.Tx) { g.Delete(tx, key) })
		return
	}
	row := one.row
	row.InlineRoutes = one.wholeStreams > 0
	g.graph.Submit(func(tx *flow.Tx) { g.Set(tx, row) })
}

func guestRow(node xds.Node) (model.Workload, error) {
	namespace, name, ok := strings.Cut(node.ID, "/")
	if !ok {
		namespace, name = "default", node.ID
	}
	if namespace == "" || name == "" {
		return model.Workload{}, fmt.Errorf("no id of a workload: start Envoy with --service-node NAMESPACE/NAME")
	}
	port := uint64(model.DefaultOutbound)
	if text, given := node.Metadata[outboundField]; given {
		var err error
		if port, err = strconv.ParseUint(text, 10, 16); err != nil || port == 0 {
			return model.Workload{}, fmt.Errorf("%s %.20q in the node's metadata: want a number from 1 to 65535", outboundField, text)
		}
	}
	return callerRow(namespace, name, cmp.Or(node.Cluster, name), uint32(port)), nil
}

// callerRow is a workload that calls others and that nobody calls.
func callerRow(namespace, name, app string, outbound uint32) model.Workload {
	return model.Workload{
		Namespace: namespace, Name: name, App: app, Labels: map[string]string{"app": app},
		Address: guestAddress, Outbound: outbound, Health: model.Healthy,
	}
}

// plaintextKey marks the streams of the port without TLS.
type plaintextKey struct{}

func isPlaintext(ctx context.Context) bool { return ctx.Value(plaintextKey{}) != nil }

// plaintextStream is a stream of that port.
type plaintextStream struct{ grpc.ServerStream }

func (s plaintextStream) Context() context.Context {
	return context.WithValue(s.ServerStream.Context(), plaintextKey{}, true)
}

// servePlaintext serves xDS without TLS until ctx ends.
func (m *mesh) servePlaintext(ctx context.Context, address string) error {
	mark := func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		return next(srv, plaintextStream{stream})
	}
	server := grpc.NewServer(append(xds.ServerOptions(), grpc.ChainStreamInterceptor(mark))...)
	m.sessions.Register(server)
	return serveGRPC(ctx, server, address, "--xds-plaintext", func() {}, nil)
}

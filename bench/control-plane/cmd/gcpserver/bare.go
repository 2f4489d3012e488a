package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/xds"
)

// bare is no control plane: it sends bytes that are ready to whoever asks, keeps nothing of a
// client but what it waits for, and has one lock. What it costs, gRPC-Go costs, with weft's options.
type bare struct {
	mu      sync.Mutex
	ready   map[string]map[string][]byte // type URL -> name -> field of a DeltaDiscoveryResponse
	all     map[string][][]byte          // type URL -> responses, but for type and nonce, to who asks for all
	streams map[*bareStream]struct{}
}

// bareStream is one client: what it is to get next, by type, once it has acknowledged.
type bareStream struct {
	grpc.ServerStream
	mu    sync.Mutex
	owed  map[string][][]byte
	waits map[string]bool
}

// bareChunk is how many resources come at once, as from weft.
const bareChunk = 200

func serveBare(all map[string]*collection) (*grpc.Server, error) {
	b := &bare{ready: map[string]map[string][]byte{}, all: map[string][][]byte{}, streams: map[*bareStream]struct{}{}}
	for _, k := range kinds {
		c, url := all[k.name], k.url
		b.ready[url] = map[string][]byte{}
		for name, m := range c.set {
			if err := b.encode(url, name, m); err != nil {
				return nil, err
			}
		}
		for names := range slices.Chunk(slices.Sorted(maps.Keys(c.set)), bareChunk) {
			b.all[url] = append(b.all[url], b.join(url, names))
		}
		c.update = func(name string, m types.Resource) error { return b.update(url, name, m) }
	}
	options := append(xds.ServerOptions(), grpc.ForceServerCodecV2(rawCodec{}), grpc.UnknownServiceHandler(b.serve))
	return grpc.NewServer(options...), nil
}

func (b *bare) encode(url, name string, m types.Resource) error {
	body, err := anypb.New(m)
	if err != nil {
		return err
	}
	// The encoding of a message with one resource and nothing else is that field.
	b.ready[url][name], err = proto.Marshal(&discoveryv3.DeltaDiscoveryResponse{
		Resources: []*discoveryv3.Resource{{Name: name, Version: "1", Resource: body}},
	})
	return err
}

func (b *bare) join(url string, names []string) (fields []byte) {
	for _, name := range names {
		fields = append(fields, b.ready[url][name]...)
	}
	return fields
}

// update sends a changed resource to everybody.
func (b *bare) update(url, name string, m types.Resource) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.encode(url, name, m); err != nil {
		return err
	}
	for st := range b.streams {
		if err := st.owe(url, b.ready[url][name]); err != nil {
			return err
		}
	}
	return nil
}

func (b *bare) serve(_ any, stream grpc.ServerStream) error {
	st := &bareStream{ServerStream: stream, owed: map[string][][]byte{}, waits: map[string]bool{}}
	b.mu.Lock()
	b.streams[st] = struct{}{}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.streams, st)
	}()
	asked := map[string]bool{}
	for {
		var raw []byte
		if err := st.RecvMsg(&raw); err != nil {
			return err
		}
		var r discoveryv3.DeltaDiscoveryRequest
		if err := proto.Unmarshal(raw, &r); err != nil {
			return err
		}
		url := r.GetTypeUrl()
		if r.GetResponseNonce() != "" {
			if err := st.acknowledged(url); err != nil {
				return err
			}
		}
		if err := st.owe(url, b.answer(&r, asked[url])...); err != nil {
			return err
		}
		asked[url] = true
	}
}

// answer is what a request asks for: names, or with the first one everything.
func (b *bare) answer(r *discoveryv3.DeltaDiscoveryRequest, asked bool) [][]byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch names := r.GetResourceNamesSubscribe(); {
	case len(names) > 0:
		return [][]byte{b.join(r.GetTypeUrl(), names)}
	case !asked:
		return b.all[r.GetTypeUrl()]
	}
	return nil
}

func (st *bareStream) acknowledged(url string) error {
	st.mu.Lock()
	st.waits[url] = false
	st.mu.Unlock()
	return st.owe(url)
}

// owe sends the next that a client is to get, if it has acknowledged the last.
func (st *bareStream) owe(url string, more ...[]byte) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.owed[url] = append(st.owed[url], more...)
	if st.waits[url] || len(st.owed[url]) == 0 {
		return nil
	}
	next := st.owed[url][0]
	st.owed[url], st.waits[url] = st.owed[url][1:], true
	head, err := proto.Marshal(&discoveryv3.DeltaDiscoveryResponse{TypeUrl: url, Nonce: "1"})
	if err != nil {
		return err
	}
	return st.SendMsg([][]byte{head, next})
}

// rawCodec passes bytes through.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	parts, ok := v.([][]byte)
	if !ok {
		return nil, fmt.Errorf("no bytes: %T", v)
	}
	var all mem.BufferSlice
	for _, part := range parts {
		all = append(all, mem.SliceBuffer(part))
	}
	return all, nil
}

func (rawCodec) Unmarshal(d mem.BufferSlice, v any) error {
	*(v.(*[]byte)) = d.Materialize()
	return nil
}

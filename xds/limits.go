package xds

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// What one response may carry. Envoy keeps the memory that the largest one
// took: 5,000 clusters at once cost it twice what they cost by 200.
const (
	chunkResources = 200
	chunkBytes     = 1 << 20 // one larger resource goes alone
)

const (
	// maxResends of a resource in the version that a proxy refused.
	maxResends = 3
	// maxTries is of how many refused versions of a resource that is remembered.
	maxTries = 8
	// maxReason is how much of a refusal's text is kept, in bytes.
	maxReason = 4 << 10
)

const (
	// maxMessage is the size of one request, in bytes.
	maxMessage = 4 << 20
	// maxStreams is how many streams one connection may have at once.
	maxStreams = 64
	// ping is when a silent connection is asked for life, and pong how long it may take to answer.
	ping, pong = 30 * time.Second, 10 * time.Second
)

// Limits bound what a client can make the server hold. Zero fields have the
// default named at each.
type Limits struct {
	NameBytes    int           // of one resource name or node id; 1 KiB
	Names        int           // that one stream may ask for or claim, per type; 20,000
	StreamsPerID int           // of one proxy; one more ends the oldest; 4
	WriteStall   time.Duration // a client that takes in nothing for so long is dropped; 30 s
	FirstRequest time.Duration // a stream that says nothing for so long is dropped; 10 s
}

func (l Limits) withDefaults() Limits {
	or := func(v *int, otherwise int) {
		if *v == 0 {
			*v = otherwise
		}
	}
	or(&l.NameBytes, 1<<10)
	or(&l.Names, 20_000)
	or(&l.StreamsPerID, 4)
	if l.WriteStall == 0 {
		l.WriteStall = 30 * time.Second
	}
	if l.FirstRequest == 0 {
		l.FirstRequest = 10 * time.Second
	}
	return l
}

// ServerOptions are the limits of a gRPC server that ADS is registered with.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.SharedWriteBuffer(true), // thousands of idle connections keep none
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: ping, Timeout: pong}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pong / 2, PermitWithoutStream: true}),
	}
}

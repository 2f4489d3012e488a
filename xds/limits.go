package xds

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"

	"weft.dev/model"
)

// What one response may carry. Envoy keeps the memory that the largest one
// took: 5,000 clusters at once cost it twice what they cost by 200.
const (
	chunkResources = 200
	chunkBytes     = 1 << 20 // one larger resource goes alone
	// tableBytes is the same for parts of a route table: a listener opens with the first of them,
	// and what comes later is unknown until it comes.
	tableBytes = 3 << 20
)

// maxRoom is for how many names of a request room is made before they are read.
const maxRoom = 2048

// fewNames are not worth making room for all at once.
const fewNames = 16

const (
	// maxResends of a resource in the version that a proxy refused.
	maxResends = 3
	// maxTries is how many refused versions of a proxy are remembered.
	maxTries = 256
	// maxReason is how much of a refusal's text is kept, in bytes.
	maxReason = 4 << 10
	// maxGood is how many resources are remembered in the version before the refused one.
	maxGood = 1024
)

const (
	// maxMessage is the size of one request, in bytes.
	maxMessage = 4 << 20
	// ping is when a silent connection is asked for life, and pong how long it may take to answer.
	ping, pong = 30 * time.Second, 10 * time.Second
)

const (
	// readBuffer holds a few acknowledgements: there is one for each connection.
	readBuffer = 1 << 10
	// window is what a client may send before we have read it: HTTP/2's default.
	window = 64 << 10
	// writeBuffer is shared by the connections that write.
	writeBuffer = 32 << 10
	// freeSend is how many unacknowledged bytes of a stream gRPC takes in
	// without waiting for the client, and some.
	freeSend = 32 << 10
)

const (
	// firstSyncs of each processor are under way at once.
	firstSyncs = 32
	// firstSyncTime is how long one counts: a slow client costs no more after it.
	firstSyncTime = time.Second
	// crowdGone is how long nobody must have come for a crowd to be over.
	crowdGone = time.Second
	// spread is among how many of the longest waiting the next one is drawn.
	spread = 64
)

// Limits bound what a client can make the server hold. Zero fields have the
// default named at each.
type Limits struct {
	NameBytes    int           // of one resource name or node id; 1 KiB
	Names        int           // that one stream may ask for or claim, per type; 20,000
	Asks         int           // unknown names that one stream has others look for at once; 256
	AskAnswer    time.Duration // an unknown name is answered after this; 1 s
	Linger       time.Duration // a cluster that nothing needs any more stays for so long; 0: it does not
	StreamsPerID int           // of one proxy; one more ends the oldest; 4
	WriteStall   time.Duration // a client that takes in nothing for so long is dropped; 30 s
	FirstRequest time.Duration // a stream that says nothing for so long is dropped; 10 s
}

func (l Limits) withDefaults() Limits {
	orCount := func(v *int, otherwise int) {
		if *v == 0 {
			*v = otherwise
		}
	}
	orTime := func(v *time.Duration, otherwise time.Duration) {
		if *v == 0 {
			*v = otherwise
		}
	}
	orCount(&l.NameBytes, 1<<10)
	orCount(&l.Names, 20_000)
	orCount(&l.Asks, 256)
	orCount(&l.StreamsPerID, 4)
	orTime(&l.AskAnswer, time.Second)
	orTime(&l.WriteStall, 30*time.Second)
	orTime(&l.FirstRequest, 10*time.Second)
	return l
}

// ServerOptions are what a gRPC server needs that ADS is registered with.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{}),
		grpc.InTapHandle(makeEndable),
		grpc.ChainStreamInterceptor(greet),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxConcurrentStreams(model.MachineStreams),
		// Windows of a fixed size: else gRPC sends a ping after each acknowledgement to measure the client.
		grpc.InitialWindowSize(window),
		grpc.InitialConnWindowSize(window),
		grpc.ReadBufferSize(readBuffer),
		grpc.WriteBufferSize(writeBuffer),
		grpc.SharedWriteBuffer(true), // thousands of idle connections keep none
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: ping, Timeout: pong}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pong / 2, PermitWithoutStream: true}),
	}
}

// greet says at once that the server has taken a stream that comes by a machine's
// shared connection: an open one proves no more than that the machine is there.
func greet(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if len(metadata.ValueFromIncomingContext(stream.Context(), model.AsWorkload)) > 0 {
		if err := stream.SendHeader(metadata.MD{}); err != nil {
			return err
		}
	}
	return next(srv, stream)
}

package uplink

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"weft.dev/model"
)

// raw is the codec of messages that stay as they are. Its name travels with the
// call, and tells the server how they are written.
type raw struct{ name string }

func (r raw) Name() string                { return r.name }
func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}

// codecOf is how the messages of a method are written.
func codecOf(method string) raw {
	if strings.HasPrefix(method, "/"+model.AgentService+"/") {
		return raw{model.AgentCodec{}.Name()}
	}
	return raw{"proto"}
}

var both = &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

// carry makes a handler that brings each stream to conn. One more than conn may have
// would wait there, without a word.
func carry(conn grpc.ClientConnInterface) grpc.StreamHandler {
	var carried atomic.Int64
	return func(_ any, in grpc.ServerStream) error {
		defer carried.Add(-1)
		if carried.Add(1) > model.MachineStreams {
			return status.Errorf(codes.ResourceExhausted, "the machine's connection has %d streams, which are all that it may: workload agents beyond that have connections of their own", model.MachineStreams)
		}
		method, _ := grpc.MethodFromServerStream(in)
		ctx, cancel := context.WithCancel(in.Context())
		defer cancel()
		as := metadata.ValueFromIncomingContext(ctx, model.AsWorkload)
		if len(as) != 1 {
			return status.Errorf(codes.InvalidArgument, "%s: a stream names its workload", model.AsWorkload)
		}
		out, err := conn.NewStream(metadata.AppendToOutgoingContext(ctx, model.AsWorkload, as[0]), both, method, grpc.ForceCodec(codecOf(method)))
		if err == nil {
			err = answered(out)
		}
		if err == nil {
			err = in.SendHeader(metadata.MD{}) // the other agent waits for it
		}
		if err != nil {
			return err
		}
		go func() {
			if pass(in.RecvMsg, out.SendMsg) == nil {
				_ = out.CloseSend() // the other direction says what became of it
			} else {
				cancel()
			}
		}()
		return pass(out.RecvMsg, in.SendMsg)
	}
}

// answered waits until the server, and not only who is on the way to it, has taken
// the stream: it says so before anything else.
func answered(stream grpc.ClientStream) error {
	header, err := stream.Header()
	if err != nil || header != nil {
		return err
	}
	if err := stream.RecvMsg(nil); err != nil && !errors.Is(err, io.EOF) {
		return err // with which it ended
	}
	return status.Error(codes.Unavailable, "the stream ended before the server took it")
}

// pass brings messages on until their source ends.
func pass(from, to func(any) error) error {
	for {
		var message []byte
		if err := from(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := to(&message); err != nil {
			return err
		}
	}
}

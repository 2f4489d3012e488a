package probe

import (
	"context"
	"fmt"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	healthCheck  = "/grpc.health.v1.Health/Check"
	serviceField = 1 // of the request: a string
	statusField  = 1 // of the answer: an enum
	serving      = 1
)

// healthy asks an application as grpc.health.v1 defines it. The two messages
// have one field each, for which the agent links no further package.
func healthy(ctx context.Context, address, service string) error {
	conn, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "tcp", address) }))
	if err != nil {
		return err
	}
	defer conn.Close()
	request := protowire.AppendString(protowire.AppendTag(nil, serviceField, protowire.BytesType), service)
	var answer []byte
	if err := conn.Invoke(ctx, healthCheck, &request, &answer, grpc.ForceCodec(raw{})); err != nil {
		return err
	}
	if status := statusOf(answer); status != serving {
		return fmt.Errorf("service %q: health status %d, not serving", service, status)
	}
	return nil
}

func statusOf(answer []byte) uint64 {
	for len(answer) > 0 {
		field, kind, n := protowire.ConsumeTag(answer)
		if n < 0 {
			return 0
		}
		answer = answer[n:]
		if field == statusField && kind == protowire.VarintType {
			status, _ := protowire.ConsumeVarint(answer)
			return status
		}
		if n = protowire.ConsumeFieldValue(field, kind, answer); n < 0 {
			return 0
		}
		answer = answer[n:]
	}
	return 0
}

// raw hands messages on as the bytes that they are.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

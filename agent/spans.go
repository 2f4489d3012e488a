package agent

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"

	"weft.dev/model"
)

// spanInterval is how often spans are handed on.
const spanInterval = time.Second

// spans are what Envoy told of requests and the server has not heard yet. Which they are,
// the agent does not know: every workload pays for its memory.
type spans struct {
	mu     sync.Mutex
	report model.SpanReport
}

// spanService is OTLP's, by hand: its messages are taken as they are.
var spanService = grpc.ServiceDesc{
	ServiceName: "opentelemetry.proto.collector.trace.v1.TraceService",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Export", Handler: func(srv any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var message emptypb.Empty // for which every field is one that it does not know, and keeps
		if err := decode(&message); err != nil {
			return nil, err
		}
		srv.(*spans).add(message.ProtoReflect().GetUnknown())
		return &emptypb.Empty{}, nil
	}}},
}

func (s *spans) add(message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.report.Messages)+len(message) > model.MaxSpanBytes {
		s.report.Dropped += uint64(len(message))
		return
	}
	s.report.Messages = append(s.report.Messages, message...)
}

// take is what there is to report, nil for nothing.
func (s *spans) take() *model.SpanReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.report.Messages) == 0 && s.report.Dropped == 0 {
		return nil
	}
	report := s.report
	s.report = model.SpanReport{}
	return &report
}

package agent

import (
	"bytes"
	"context"
	"net"
	"testing"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// What an Envoy says goes on as it is, as one message; what is too much is counted.
func TestSpans(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all spans
	server := grpc.NewServer()
	server.RegisterService(&spanService, &all)
	go server.Serve(listener)
	defer server.Stop()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	export := func(id byte, size int) {
		t.Helper()
		span := &tracev1.Span{SpanId: bytes.Repeat([]byte{id}, size)}
		if _, err := collectorv1.NewTraceServiceClient(conn).Export(context.Background(), &collectorv1.ExportTraceServiceRequest{
			ResourceSpans: []*tracev1.ResourceSpans{{ScopeSpans: []*tracev1.ScopeSpans{{Spans: []*tracev1.Span{span}}}}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if report := all.take(); report != nil {
		t.Errorf("%v is reported before anything was said", report)
	}
	export(1, 8)
	export(2, 8)
	export(3, model.MaxSpanBytes)
	report := all.take()
	var request collectorv1.ExportTraceServiceRequest
	if err := proto.Unmarshal(report.Messages, &request); err != nil || len(request.ResourceSpans) != 2 || request.ResourceSpans[1].ScopeSpans[0].Spans[0].SpanId[0] != 2 {
		t.Errorf("%v, %v: want two spans", err, &request)
	}
	if report.Dropped < model.MaxSpanBytes || report.Dropped > model.MaxSpanBytes+100 {
		t.Errorf("%d bytes dropped, want those of the one that was too large", report.Dropped)
	}
	body, err := (model.AgentCodec{}).Marshal(model.AgentMessage{Spans: &model.SpanReport{Messages: make([]byte, model.MaxSpanBytes)}})
	if err != nil || len(body) > model.MaxAgentMessage {
		t.Errorf("%v: the largest report is a message of %d bytes, which nobody reads", err, len(body))
	}
}

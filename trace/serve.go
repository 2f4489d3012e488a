package trace

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	collectorv1 "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // SDKs may be told to compress
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

const (
	maxMessage = 4 << 20          // bytes, unpacked
	maxTime    = 10 * time.Second // that a message may take
	maxReaders = 8                // messages that are read at a time; who sends more is told to wait
)

// Receiver takes OTLP of applications: gRPC, and HTTP with protobuf or JSON.
type Receiver struct {
	collectorv1.UnimplementedTraceServiceServer
	intake  *Intake
	readers chan struct{}
}

// NewReceiver makes one.
func NewReceiver(intake *Intake) *Receiver {
	return &Receiver{intake: intake, readers: make(chan struct{}, maxReaders)}
}

// Handler serves both on one port, without TLS.
func (r *Receiver) Handler() http.Handler {
	calls := grpc.NewServer(grpc.MaxRecvMsgSize(maxMessage))
	collectorv1.RegisterTraceServiceServer(calls, r)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", r.post)
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.ProtoMajor == 2 && strings.HasPrefix(q.Header.Get("Content-Type"), "application/grpc") {
			calls.ServeHTTP(w, q)
			return
		}
		mux.ServeHTTP(w, q)
	})
}

// Export is the call of gRPC.
func (r *Receiver) Export(_ context.Context, request *collectorv1.ExportTraceServiceRequest) (*collectorv1.ExportTraceServiceResponse, error) {
	if !r.begin() {
		return nil, status.Error(codes.Unavailable, errBusy.Error())
	}
	defer r.end()
	return r.take(request), nil
}

var errBusy = fmt.Errorf("more than %d messages at a time: send again later", maxReaders)

func (r *Receiver) begin() bool {
	select {
	case r.readers <- struct{}{}:
		return true
	default:
		return false
	}
}

func (r *Receiver) end() { <-r.readers }

func (r *Receiver) take(request *collectorv1.ExportTraceServiceRequest) *collectorv1.ExportTraceServiceResponse {
	response := &collectorv1.ExportTraceServiceResponse{}
	if dropped := r.intake.fromApplication(request); dropped > 0 {
		response.PartialSuccess = &collectorv1.ExportTracePartialSuccess{
			RejectedSpans: dropped, ErrorMessage: fmt.Sprintf("more than %d spans a second, or spans without ids and times", MaxRate),
		}
	}
	return response
}

// post is OTLP/HTTP.
func (r *Receiver) post(w http.ResponseWriter, q *http.Request) {
	if !r.begin() {
		w.Header().Set("Retry-After", "1")
		http.Error(w, errBusy.Error(), http.StatusServiceUnavailable)
		return
	}
	defer r.end()
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(maxTime)) // every connection here can
	kind, _, _ := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if kind != "application/json" && kind != "application/x-protobuf" {
		http.Error(w, fmt.Sprintf("Content-Type %.100q: want application/x-protobuf or application/json", kind), http.StatusUnsupportedMediaType)
		return
	}
	body, err := unpacked(w, q)
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		http.Error(w, fmt.Sprintf("more than %d bytes: send less at a time", maxMessage), http.StatusRequestEntityTooLarge)
		return
	}
	var request collectorv1.ExportTraceServiceRequest
	if err == nil && kind == "application/json" {
		err = readJSON(body, &request)
	} else if err == nil {
		err = proto.Unmarshal(body, &request)
	}
	if err != nil {
		http.Error(w, "not an ExportTraceServiceRequest of OTLP: "+err.Error(), http.StatusBadRequest)
		return
	}
	answer := r.take(&request)
	marshal := proto.Marshal
	if kind == "application/json" {
		marshal = protojson.Marshal
	}
	reply, _ := marshal(answer) // of two fields
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(reply) // who has gone does not need it
}

// unpacked is a body of at most maxMessage bytes.
func unpacked(w http.ResponseWriter, q *http.Request) ([]byte, error) {
	body := http.MaxBytesReader(w, q.Body, maxMessage)
	if q.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(body)
	}
	zipped, err := gzip.NewReader(body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(http.MaxBytesReader(w, zipped, maxMessage))
}

// readJSON reads what OTLP calls JSON: as protobuf's, but for ids.
func readJSON(body []byte, into proto.Message) error {
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return err
	}
	binaryIDs(tree)
	body, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(body, into)
}

package main

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	limitv3 "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
	"weft.dev/ratelimit"
	"weft.dev/trace"
)

// agent takes spans of one Envoy, and counts for its global limits, as weft's agent and server do.
type agent struct {
	limits
	store  *trace.Store
	server *http.Server
	port   int
}

func newAgent() (*agent, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	a := &agent{store: trace.NewStore(1<<20, time.Hour), port: listener.Addr().(*net.TCPAddr).Port}
	a.service = ratelimit.New(ratelimit.Options{Limit: a.limit, Store: ratelimit.NewMemory(1 << 10), Now: time.Now})
	calls := grpc.NewServer()
	limitv3.RegisterRateLimitServiceServer(calls, &a.limits)
	spans := trace.NewReceiver(trace.NewIntake(a.store, time.Now)).Handler()
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	a.server = &http.Server{Protocols: &protocols, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/envoy.service.ratelimit.") {
			calls.ServeHTTP(w, r)
			return
		}
		spans.ServeHTTP(w, r)
	})}
	go func() { _ = a.server.Serve(listener) }() // until it is closed
	return a, nil
}

func (a *agent) spans() uint64 {
	c := a.store.Counts()
	return c.Spans + c.TooMany
}

// limits are the global ones of one Envoy.
type limits struct {
	limitv3.UnimplementedRateLimitServiceServer
	service *ratelimit.Service

	mu    sync.Mutex
	known map[model.LimitID]ratelimit.Limit
}

func (l *limits) know(rows []model.RateLimit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = map[model.LimitID]ratelimit.Limit{}
	for _, r := range rows {
		for _, one := range r.Limits {
			l.known[r.ID(one)] = ratelimit.Limit{Rate: ratelimit.Rate{Requests: one.Requests, Per: one.Per, Burst: one.Burst}, Name: one.Name}
		}
	}
}

func (l *limits) limit(id model.LimitID) (ratelimit.Limit, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found, ok := l.known[id]
	return found, ok
}

func (l *limits) ShouldRateLimit(ctx context.Context, r *limitv3.RateLimitRequest) (*limitv3.RateLimitResponse, error) {
	request, err := proto.Marshal(r)
	if err != nil {
		return nil, err
	}
	answer, err := l.service.Answer(ctx, func(model.LimitID) bool { return true }, request)
	if err != nil {
		return nil, err
	}
	response := &limitv3.RateLimitResponse{}
	return response, proto.Unmarshal(answer, response)
}

// guard refuses one path, by gRPC and by HTTP.
type guard struct {
	authv3.UnimplementedAuthorizationServer
}

func newGuard() http.Handler {
	calls := grpc.NewServer()
	authv3.RegisterAuthorizationServer(calls, guard{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Content-Type") == "application/grpc":
			calls.ServeHTTP(w, r)
		case r.URL.Path == refused:
			http.Error(w, "no", http.StatusForbidden)
		}
	})
}

func (guard) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	if r.GetAttributes().GetRequest().GetHttp().GetPath() != refused {
		return &authv3.CheckResponse{Status: &status.Status{}}, nil
	}
	return &authv3.CheckResponse{Status: &status.Status{Code: int32(codes.PermissionDenied)}, HttpResponse: &authv3.CheckResponse_DeniedResponse{
		DeniedResponse: &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: typev3.StatusCode_Forbidden}},
	}}, nil
}

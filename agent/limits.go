package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"weft.dev/model"
)

const (
	limitsOpen = time.Second            // for the server to take the stream
	limitsRest = 200 * time.Millisecond // after one that it did not take
)

// limits bring what Envoy asks of rate limits to the server that counts, as it is, on one stream: what the words
// mean, the agent does not know. There is no stream before Envoy asks.
type limits struct {
	proxy string // NAMESPACE/NAME
	conn  grpc.ClientConnInterface

	turn chan struct{} // who sends has it

	mu      sync.Mutex
	stream  grpc.ClientStream // nil: there is none
	end     context.CancelFunc
	last    uint64
	waiting map[uint64]chan model.LimitMessage
	rest    time.Time // until then no stream is opened
}

// limitService is Envoy's, by hand: its messages are taken as they are.
var limitService = grpc.ServiceDesc{
	ServiceName: "envoy.service.ratelimit.v3.RateLimitService",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "ShouldRateLimit", Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var message emptypb.Empty // for which every field is one that it does not know, and keeps
		if err := decode(&message); err != nil {
			return nil, err
		}
		body, err := srv.(*limits).ask(ctx, message.ProtoReflect().GetUnknown())
		if err != nil {
			return nil, err
		}
		var answer emptypb.Empty
		return &answer, proto.Unmarshal(body, &answer)
	}}},
}

func newLimits(proxy string) *limits {
	return &limits{proxy: proxy, turn: make(chan struct{}, 1), waiting: map[uint64]chan model.LimitMessage{}}
}

var errNobodyCounts = status.Error(codes.Unavailable, "the server that counts does not answer")

// ask waits for the server's answer, for as long as Envoy does.
func (l *limits) ask(ctx context.Context, body []byte) ([]byte, error) {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	id, answer, err := l.send(body)
	<-l.turn
	if err != nil {
		return nil, err
	}
	defer l.forget(id)
	select {
	case m, ok := <-answer:
		switch {
		case !ok:
			return nil, errNobodyCounts
		case m.Error != "":
			return nil, status.Error(codes.Unavailable, m.Error)
		}
		return m.Body, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// send is for who has the turn.
func (l *limits) send(body []byte) (id uint64, answer chan model.LimitMessage, err error) {
	stream, err := l.opened()
	if err != nil {
		return 0, nil, err
	}
	answer = make(chan model.LimitMessage, 1)
	l.mu.Lock()
	if len(l.waiting) >= model.MaxLimitAsks || l.stream != stream {
		l.mu.Unlock()
		return 0, nil, errNobodyCounts
	}
	l.last++
	id = l.last
	l.waiting[id] = answer
	l.mu.Unlock()
	if err := stream.SendMsg(&model.LimitMessage{ID: id, Body: body}); err != nil {
		l.forget(id)
		return 0, nil, errNobodyCounts
	}
	return id, answer, nil
}

func (l *limits) forget(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, id)
}

// opened is the stream, a new one if there is none.
func (l *limits) opened() (grpc.ClientStream, error) {
	l.mu.Lock()
	stream, rest := l.stream, time.Until(l.rest)
	l.mu.Unlock()
	if stream != nil {
		return stream, nil
	}
	if l.conn == nil || rest > 0 {
		return nil, errNobodyCounts
	}
	ctx, end := context.WithCancel(context.Background())
	late := time.AfterFunc(limitsOpen, end)
	description := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := l.conn.NewStream(ctx, description, model.AgentLimits, grpc.ForceCodec(model.AgentCodec{}))
	if err == nil {
		err = stream.SendMsg(&model.LimitMessage{Proxy: l.proxy})
	}
	if !late.Stop() && err == nil {
		err = errors.New("late")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		end()
		l.rest = time.Now().Add(limitsRest)
		return nil, errNobodyCounts
	}
	l.stream, l.end = stream, end
	go l.listen(stream)
	return stream, nil
}

// listen hands answers to who waits for them, until the stream ends.
func (l *limits) listen(stream grpc.ClientStream) {
	for {
		var m model.LimitMessage
		err := stream.RecvMsg(&m)
		l.mu.Lock()
		if err != nil {
			l.stream = nil
			l.end()
			l.rest = time.Now().Add(limitsRest)
			for id, answer := range l.waiting {
				close(answer)
				delete(l.waiting, id)
			}
			l.mu.Unlock()
			return
		}
		if answer := l.waiting[m.ID]; answer != nil {
			answer <- m
			delete(l.waiting, m.ID)
		}
		l.mu.Unlock()
	}
}

// close ends the stream.
func (l *limits) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stream != nil {
		l.end()
	}
}

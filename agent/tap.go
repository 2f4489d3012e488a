package agent

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"weft.dev/model"
)

const (
	tapPace   = 500 * time.Millisecond
	maxTapped = 128 << 10       // bytes that are handed on at a time: some 300 requests
	maxTap    = 1 * time.Minute // for which one may be asked
)

// tap hands on what Envoy says of requests, while the server asks for it. Envoy is silent before and after.
type tap struct {
	turn  func(ctx context.Context, on bool) error // Envoy's switch
	send  func(model.Tapped) bool                  // false: nobody takes it now
	log   *slog.Logger
	asked chan time.Duration

	mu   sync.Mutex
	held model.Tapped
	size int
}

func newTap(turn func(context.Context, bool) error, send func(model.Tapped) bool, log *slog.Logger) *tap {
	return &tap{turn: turn, send: send, log: log, asked: make(chan time.Duration, 1)}
}

// ask has it go on for a while from now; 0: no longer.
func (t *tap) ask(d time.Duration) {
	select {
	case t.asked <- min(d, maxTap):
	default: // it was asked just now
	}
}

// run turns the switch each time it is asked, because Envoy may have started anew, and back when nobody asks any more.
func (t *tap) run(ctx context.Context) {
	end := time.NewTimer(0)
	<-end.C
	tick := time.NewTicker(tapPace)
	tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-t.asked:
			if d > 0 {
				t.switchTo(ctx, true)
			}
			end.Reset(d)
			tick.Reset(tapPace)
		case <-tick.C:
			t.flush()
		case <-end.C:
			t.switchTo(ctx, false)
			tick.Stop()
			t.flush()
		}
	}
}

func (t *tap) switchTo(ctx context.Context, on bool) {
	if err := t.turn(ctx, on); err != nil {
		t.log.Warn("Envoy's switch for what is looked at live was not turned", "on", on, "why", err)
	}
}

func (t *tap) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held.Left == 0 && len(t.held.Batches) == 0 {
		return
	}
	if t.send(t.held) {
		t.held, t.size = model.Tapped{}, 0
	}
}

// take keeps a batch for the next flush, or counts what is in it.
func (t *tap) take(batch []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.size+len(batch) > maxTapped {
		t.held.Left += entries(batch)
		return
	}
	t.size += len(batch)
	t.held.Batches = append(t.held.Batches, batch)
}

// accessLogs is written by hand: messages are handed on as they are.
var accessLogs = grpc.ServiceDesc{
	ServiceName: "envoy.service.accesslog.v3.AccessLogService",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{
		StreamName: "StreamAccessLogs", ClientStreams: true,
		Handler: func(srv any, stream grpc.ServerStream) error {
			for {
				var m emptypb.Empty // to which all fields are unknown, and so kept as bytes
				if err := stream.RecvMsg(&m); err != nil {
					return err
				}
				srv.(*tap).take(m.ProtoReflect().GetUnknown())
			}
		},
	}},
}

// entries are how many requests a batch tells of: the fields 1 in its field 2.
func entries(batch []byte) (n int) {
	each(batch, 2, func(logs []byte) { each(logs, 1, func([]byte) { n++ }) })
	return n
}

// each visits the fields of a number in a message.
func each(message []byte, number protowire.Number, visit func([]byte)) {
	for len(message) > 0 {
		num, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return
		}
		message = message[n:]
		if num == number && kind == protowire.BytesType {
			if value, n := protowire.ConsumeBytes(message); n >= 0 {
				visit(value)
			}
		}
		if n = protowire.ConsumeFieldValue(num, kind, message); n < 0 {
			return
		}
		message = message[n:]
	}
}

package agent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	alsv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// batch is what Envoy sends of n requests.
func batch(t *testing.T, n int) []byte {
	t.Helper()
	logs := &alsv3.StreamAccessLogsMessage_HTTPAccessLogEntries{}
	for range n {
		logs.LogEntry = append(logs.LogEntry, &datav3.HTTPAccessLogEntry{Request: &datav3.HTTPRequestProperties{Path: "/a"}})
	}
	body, err := proto.Marshal(&alsv3.StreamAccessLogsMessage{LogEntries: &alsv3.StreamAccessLogsMessage_HttpLogs{HttpLogs: logs}})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// Envoy's switch is turned while the server asks, and back by itself when it asks no more.
func TestTapEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turned []string
		began := time.Now()
		turn := func(_ context.Context, on bool) error {
			turned = append(turned, fmt.Sprint(time.Since(began), on))
			return nil
		}
		var told []model.Tapped
		tapped := newTap(turn, func(m model.Tapped) bool { told = append(told, m); return true }, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go tapped.run(ctx)
		tapped.ask(15 * time.Second)
		time.Sleep(5 * time.Second)
		tapped.take(batch(t, 2))
		tapped.ask(15 * time.Second)
		time.Sleep(time.Hour)
		if want := []string{"0s true", "5s true", "20s false"}; !slices.Equal(turned, want) {
			t.Errorf("turned %v, want %v", turned, want)
		}
		if len(told) != 1 || len(told[0].Batches) != 1 {
			t.Errorf("told %v, want the batch, once", told)
		}
		tapped.ask(15 * time.Second)
		synctest.Wait()
		tapped.ask(0) // nobody looks any more
		synctest.Wait()
		if want := []string{"1h0m5s true", "1h0m5s false"}; !slices.Equal(turned[3:], want) {
			t.Errorf("turned %v, want %v", turned[3:], want)
		}
	})
}

// What is too much, or not taken, is counted.
func TestTapLeavesOut(t *testing.T) {
	free := false
	var told []model.Tapped
	tapped := newTap(nil, func(m model.Tapped) bool {
		if free {
			told = append(told, m)
		}
		return free
	}, slog.New(slog.DiscardHandler))
	big := batch(t, 1000)
	fit := maxTapped / len(big)
	for range fit + 3 {
		tapped.take(big)
	}
	tapped.flush() // nobody takes it
	tapped.take(big)
	free = true
	tapped.flush()
	tapped.take(big)
	tapped.flush()
	if len(told) != 2 || len(told[0].Batches) != fit || told[0].Left != 4000 || told[1].Left != 0 || len(told[1].Batches) != 1 {
		t.Errorf("told %d times, at first %d batches with %d left out; want 2, %d, 4000", len(told), len(told[0].Batches), told[0].Left, fit)
	}
	tapped.take([]byte{0x12, 0xff}) // cut off
	if n := entries([]byte{0x12, 0xff}); n != 0 {
		t.Errorf("%d requests in what cannot be read", n)
	}
}

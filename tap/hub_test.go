package tap

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	alsv3 "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/model"
)

var now = time.Unix(1_000_000, 0)

// tapped is a request as an agent hands it on.
func tapped(t *testing.T, id string, at time.Time) model.Tapped {
	t.Helper()
	body, err := proto.Marshal(&alsv3.StreamAccessLogsMessage{LogEntries: &alsv3.StreamAccessLogsMessage_HttpLogs{
		HttpLogs: &alsv3.StreamAccessLogsMessage_HTTPAccessLogEntries{LogEntry: []*datav3.HTTPAccessLogEntry{{
			CommonProperties: &datav3.AccessLogCommon{
				StartTime: timestamppb.New(at), UpstreamCluster: model.ClusterName("reviews.shop.svc.cluster.local", 9080, "v1"),
				CustomTags:    map[string]string{model.TapSide: model.TapOut, model.TapFrom: `["VirtualService shop/reviews spec.http[0]"]`},
				ResponseFlags: &datav3.ResponseFlags{UpstreamConnectionFailure: true},
			},
			Request:  &datav3.HTTPRequestProperties{RequestMethod: corev3.RequestMethod_GET, Authority: "reviews", Path: "/a?token=secret", RequestId: id},
			Response: &datav3.HTTPResponseProperties{ResponseCode: wrapperspb.UInt32(503), ResponseCodeDetails: "rbac_access_denied_matched_policy[shop/deny#0]"},
		}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return model.Tapped{Batches: [][]byte{body}}
}

func nothing(*Record) {}

// asks are what agents were told: workload and how long.
type asks struct {
	told []string
	away map[string]bool
}

func (a *asks) ask(workload string, d time.Duration) bool {
	if a.away[workload] {
		return false
	}
	a.told = append(a.told, fmt.Sprint(workload, " ", d))
	return true
}

// Only who is looked at is asked, as long as somebody looks.
func TestWhoIsAsked(t *testing.T) {
	agents := &asks{away: map[string]bool{"shop/b": true}}
	h := NewHub(agents.ask)
	one, err := h.Listen(func() []string { return []string{"shop/a", "shop/b"} })
	if err != nil {
		t.Fatal(err)
	}
	if telling, known := one.Proxies(); telling != 1 || known != 2 {
		t.Errorf("%d of %d tell, want 1 of 2: the agent of the other is not here", telling, known)
	}
	two, err := h.Listen(func() []string { return []string{"shop/a"} })
	if err != nil {
		t.Fatal(err)
	}
	h.Heard("shop/a", tapped(t, "1", now), nothing)
	h.Heard("shop/c", tapped(t, "2", now), nothing)
	for _, l := range []*Listener{one, two} {
		if b := <-l.Batches; len(b.Records) != 1 || b.Records[0].ID != "1" || len(l.Batches) != 0 {
			t.Errorf("heard %v, want 1 alone", b)
		}
	}
	one.Leave()
	h.Again()
	two.Leave()
	h.Again()
	if want := []string{"shop/a 15s", "shop/a 15s", "shop/a 15s", "shop/a 0s"}; !slices.Equal(agents.told, want) {
		t.Errorf("told %v, want %v", agents.told, want)
	}
}

func TestBounds(t *testing.T) {
	h := NewHub((&asks{}).ask)
	many := make([]string, 100)
	for i := range many {
		many[i] = fmt.Sprint("shop/", i)
	}
	l, err := h.Listen(func() []string { return many })
	if err != nil {
		t.Fatal(err)
	}
	if telling, known := l.Proxies(); telling != mostProxies || known != 100 {
		t.Errorf("%d of %d tell, want %d", telling, known, mostProxies)
	}
	for range waiting + 5 {
		h.Heard("shop/0", tapped(t, "x", now), nothing)
	}
	<-l.Batches
	h.Heard("shop/0", model.Tapped{Left: 7}, nothing)
	var last Batch
	for len(l.Batches) > 0 {
		last = <-l.Batches
	}
	if last.Left != 5+7 {
		t.Errorf("%d left out, want the 5 that were not read and the 7 of the agent", last.Left)
	}
	for range mostListeners {
		_, err = h.Listen(func() []string { return nil })
	}
	if !errors.Is(err, ErrBusy) {
		t.Errorf("one more who looks: %v, want ErrBusy", err)
	}
	for i := range kept + 10 {
		h.Heard("shop/0", tapped(t, fmt.Sprint("kept-", i), now), nothing)
	}
	if len(h.newest) != kept || len(h.Request("kept-0", now)) != 0 || len(h.Request(fmt.Sprint("kept-", kept+9), now)) != 1 {
		t.Errorf("%d are kept, want the newest %d", len(h.newest), kept)
	}
	if len(h.Request(fmt.Sprint("kept-", kept+9), now.Add(keptTime))) != 0 {
		t.Error("what is old is still told")
	}
}

// A record says who, what, how and why, and nothing of the query.
func TestRecord(t *testing.T) {
	r := records("shop/web-1", tapped(t, "1", now).Batches[0])[0]
	want := "{1970-01-12 13:46:40 +0000 UTC shop/web-1 out shop/web-1 reviews.shop.svc.cluster.local v1 GET reviews /a 503 0 0 [upstream connection failure] " +
		"rbac_access_denied_matched_policy[shop/deny#0]   [VirtualService shop/reviews spec.http[0]] reviews.shop.svc.cluster.local:9080/v1  1}"
	if got := fmt.Sprint(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !r.Failed() || r.policy() != "refused by shop/deny#0" {
		t.Errorf("failed %v, policy %q", r.Failed(), r.policy())
	}
	if got := cut("a\x1b[2J" + strings.Repeat("é", maxText)); strings.Contains(got, "\x1b") || len(got) > maxText+utf8.UTFMax || !strings.HasPrefix(got, "a\uFFFD[2Jé") {
		t.Errorf("what a caller chose is shown as %q", got)
	}
	if got := records("a/b", []byte("no message")); len(got) != 0 {
		t.Errorf("of what cannot be read: %v", got)
	}
}

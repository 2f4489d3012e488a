package metrics_test

import (
	"fmt"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
)

func TestStrangersAreKnownByAddressAndWatchedWithoutAGap(t *testing.T) {
	s, api, now := metrics.NewStrangers(), metrics.End{Namespace: "shop", App: "api", Version: "v1"}, time.Unix(1000, 0)
	say := func(peers ...model.PeerCounters) {
		s.Record("shop/api-1", api, model.TrafficReport{Watches: true, Peers: peers}, now)
	}
	say(model.PeerCounters{Port: 80, Calls: 2}, model.PeerCounters{Port: 80, Peer: "10.0.0.9", Calls: 2})
	first := now
	now = now.Add(30 * time.Second)
	say(model.PeerCounters{Port: 80, Peer: "10.0.0.9", Calls: 3})
	all := s.All()
	want := metrics.StrangerCalls{Stranger: metrics.Stranger{To: metrics.End{Namespace: "shop", App: "api"}, Port: 80, Address: "10.0.0.9"}, Calls: 5, First: first, Last: now}
	if len(all) != 2 || all[1] != want {
		t.Errorf("known are %+v, want %+v last", all, want)
	}
	if since, ok := s.Watched("shop/api-1", now); !ok || since != first {
		t.Errorf("watched since %v, %v", since, ok)
	}
	if _, ok := s.Watched("shop/api-1", now.Add(2*time.Minute)); ok {
		t.Error("a proxy that says nothing is watched")
	}
	now = now.Add(2 * time.Minute)
	say()
	if since, _ := s.Watched("shop/api-1", now); since != now {
		t.Errorf("after a gap it is watched since %v, want %v", since, now)
	}
	now = now.Add(metrics.Remember + time.Minute)
	if say(); len(s.All()) != 0 {
		t.Errorf("%+v is known for ever", s.All())
	}
}

// There is room for so many; that there are more is known.
func TestStrangersAreBounded(t *testing.T) {
	s, now := metrics.NewStrangers(), time.Unix(1000, 0)
	for i := range 30_000 {
		s.Record("shop/api-1", metrics.End{App: "api"}, model.TrafficReport{Peers: []model.PeerCounters{{Port: 80, Peer: fmt.Sprint(i), Calls: 1}}}, now)
	}
	s.Record("shop/db-1", metrics.End{App: "db"}, model.TrafficReport{Peers: []model.PeerCounters{{Port: 80, Peer: "x", Calls: 1}, {Port: 80, Calls: 1}}}, now)
	all := s.All()
	if last := all[len(all)-1]; len(all) > 20_001 || last.To.App != "db" || last.Address != "" {
		t.Errorf("%d are kept, the last one %+v", len(all), last)
	}
}

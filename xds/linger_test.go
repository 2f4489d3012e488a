package xds

import (
	"testing"
	"time"
)

// A request that has chosen its route may wait in a filter while that changes: its cluster stays for a while. One that is
// wanted again stays, and has its time anew when it is not.
func TestAClusterLingers(t *testing.T) {
	s := newScript(t)
	s.s = NewSession(Limits{Linger: time.Second})
	s.view("Cluster/a=1 Cluster/b=1 Listener/l=1 RouteConfiguration/r=1<a,b")
	s.ask(Request{Type: cluster})
	s.says("Cluster +a +b")
	s.ack(cluster)
	s.ask(Request{Type: listener})
	s.ask(Request{Type: route, Subscribe: []string{"r"}})
	s.says("Listener +l", "RouteConfiguration +r")
	s.ack(listener)
	s.ack(route)

	only := "Cluster/a=1 Listener/l=1 RouteConfiguration/r=2<a"
	s.view(only)
	s.says("RouteConfiguration +r")
	if s.s.Leaving() != 0 {
		t.Error("a cluster leaves that the old route needs")
	}
	s.ack(route)
	s.says()
	first := s.s.Leaving()
	if first == 0 || !s.s.Status().Synced {
		t.Errorf("the cluster leaves at %d, status %+v; want some serial, and in step", first, s.s.Status())
	}
	s.view("Cluster/a=1 Cluster/b=1 Listener/l=1 RouteConfiguration/r=3<a,b")
	s.says("RouteConfiguration +r")
	s.ack(route)
	s.s.LetGo(first)
	s.says()
	s.view(only)
	s.says("RouteConfiguration +r")
	s.ack(route)
	s.says()
	s.s.LetGo(first)
	s.says()
	if s.s.Leaving() == first {
		t.Error("a cluster that left twice has no new serial")
	}
	s.s.LetGo(s.s.Leaving())
	s.says("Cluster -b")
	s.ack(cluster)
	s.says()
	if s.s.lingering.since != nil {
		t.Errorf("remembered: %v", s.s.lingering.since)
	}
}

// The listener before an application has the name of the cluster behind it: that it goes is no news of the cluster.
func TestAClusterLingersBesideAListenerOfItsName(t *testing.T) {
	s := newScript(t)
	s.s = NewSession(Limits{Linger: time.Second})
	s.view("Cluster/in=1 Listener/in=1")
	s.ask(Request{Type: cluster})
	s.ask(Request{Type: listener})
	s.says("Cluster +in", "Listener +in")
	s.ack(cluster)
	s.ack(listener)
	s.view("")
	s.says("Listener -in")
	s.s.LetGo(s.s.Leaving())
	s.ack(listener)
	s.says("Cluster -in")
}

package main

import (
	"encoding/binary"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// entry is one resource as xdsload dumps it.
func entry(t *testing.T, kind byte, name string, m types.Resource) []byte {
	a, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	v, err := proto.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	b := binary.AppendUvarint([]byte{kind}, uint64(len(name)))
	b = binary.AppendUvarint(append(b, name...), uint64(len(v)))
	return append(b, v...)
}

func TestWholeRoutes(t *testing.T) {
	const rds, vhds = 3, 4
	pieces := &routev3.RouteConfiguration{Name: "out", Vhds: &routev3.Vhds{ConfigSource: &corev3.ConfigSource{}},
		VirtualHosts: []*routev3.VirtualHost{{Name: "unknown"}}}
	dump := entry(t, rds, "out", pieces)
	dump = append(dump, entry(t, rds, "in", &routev3.RouteConfiguration{Name: "in"})...)
	for _, host := range []string{"out/b", "out/a", "other/c"} {
		dump = append(dump, entry(t, vhds, host, &routev3.VirtualHost{Name: host})...)
	}
	all, err := read(dump)
	if err != nil {
		t.Fatal(err)
	}
	wholeRoutes(all)
	out := all["rds"].set["out"].(*routev3.RouteConfiguration)
	var names []string
	for _, host := range out.VirtualHosts {
		names = append(names, host.Name)
	}
	if got := strings.Join(names, " "); got != "unknown out/a out/b" || out.Vhds != nil {
		t.Errorf("%s, vhds %v", got, out.Vhds)
	}
	if in := all["rds"].set["in"].(*routev3.RouteConfiguration); len(in.VirtualHosts) != 0 {
		t.Errorf("a RouteConfiguration without vhds got %v", in.VirtualHosts)
	}
	if left := all["vhds"].set; len(left) != 1 || left["other/c"] == nil {
		t.Errorf("%v is left", left)
	}
	if _, err := read(dump[:len(dump)-1]); err == nil {
		t.Error("a dump that is cut short passes")
	}
}

package relay

import (
	"testing"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// A cluster in its other form is the same, and has every counter; the relay keeps its own.
func TestShown(t *testing.T) {
	plain := &clusterv3.Cluster{Name: "up:80", AltStatName: "x"}
	body, err := anypb.New(plain)
	if err != nil {
		t.Fatal(err)
	}
	p := &response{TypeUrl: clusterURL, Nonce: "1", Resources: []*discoveryv3.Resource{{Name: "up:80", Version: "v", Resource: body}, {Name: "none"}}}
	before := proto.CloneOf(p)
	if shown(p, false) != p {
		t.Error("without full statistics it is another")
	}
	var got clusterv3.Cluster
	full := shown(p, true)
	if err := full.Resources[0].Resource.UnmarshalTo(&got); err != nil {
		t.Fatal(err)
	}
	var matcher metricsv3.StatsMatcher
	if err := got.Metadata.TypedFilterMetadata["envoy.stats_matcher"].UnmarshalTo(&matcher); err != nil || matcher.Validate() != nil || matcher.GetRejectAll() {
		t.Errorf("%v, %+v: want one that rejects nothing", err, &matcher)
	}
	got.Metadata = nil
	if !proto.Equal(&got, plain) || full.Resources[0].Version != "v"+fullMark || full.Nonce != "1" || !proto.Equal(p, before) {
		t.Errorf("%v\nof %v, want the same otherwise", full, p)
	}
}

// What Envoy says it has counts as that if it is in the form in which it would be sent.
func TestTold(t *testing.T) {
	for _, one := range []struct {
		url, has string
		full     bool
		want     string
	}{
		{clusterURL, "v", false, "v"}, {clusterURL, "v+full", true, "v"}, {clusterURL, "v", true, "v?"}, {clusterURL, "v+full", false, "v?"},
		{clusterURL, "", true, ""}, {"other", "v+full", false, "v+full"},
	} {
		q := told(&request{TypeUrl: one.url, InitialResourceVersions: map[string]string{"a": one.has}}, one.full)
		if got := q.InitialResourceVersions["a"]; got != one.want {
			t.Errorf("%+v: %q", one, got)
		}
	}
}

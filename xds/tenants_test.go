package xds

import (
	"context"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/structpb"

	"weft.dev/model"
)

// A proxy has the secrets of its own view, whatever names it asks for, in both protocols.
func TestASecretIsThatOfAView(t *testing.T) {
	h := newHeld()
	h.Set("shop/web-1", layer("shop", res(model.TypeSecret, "shop/tls", "key")))
	h.Set("evil/web-1", layer("evil", res(model.TypeSecret, "evil/tls", "own"), res(cluster, "a", "1")))
	_, c := serve(t, Options{Views: h})
	p := connect(t, c, "evil/web-1")
	p.send(model.TypeSecret, &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{"shop/tls", "evil/tls", "*"}})
	p.ack(p.hear("Secret +evil/tls=own"))
	h.Set("shop/web-1", layer("shop", res(model.TypeSecret, "shop/tls", "newer")))
	p.send(cluster, &discoveryv3.DeltaDiscoveryRequest{})
	p.hear("Cluster +a=1") // and not of the shop's key

	stream, err := c.StreamAggregatedResources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := &discoveryv3.DiscoveryRequest{TypeUrl: model.TypeSecret.TypeURL(), Node: &corev3.Node{Id: "evil/web-1"}, ResourceNames: []string{"shop/tls", "evil/tls"}}
	if err := stream.Send(ask); err != nil {
		t.Fatal(err)
	}
	got, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Resources) != 1 || string(got.Resources[0].Value) != "own" {
		t.Errorf("heard %v", got)
	}
}

// Who a stream is for, its certificate says: what a node says of itself, at first or later, gives it no other view.
func TestANodeMayLie(t *testing.T) {
	h := newHeld()
	h.Set("shop/web-1", layer("shop", res(cluster, "shop", "1")))
	h.Set("evil/web-1", layer("evil", res(cluster, "evil", "1")))
	_, c := serve(t, Options{Views: h, Authenticate: func(context.Context, Node) (string, error) { return "evil/web-1", nil }})
	p := connect(t, c, "shop/web-1")
	lie := func(id string) {
		t.Helper()
		metadata, err := structpb.NewStruct(map[string]any{"namespace": "shop", "NAMESPACE": "shop", "SERVICE_ACCOUNT": "web", "app": "web", "gateway": "front"})
		if err != nil {
			t.Fatal(err)
		}
		r := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: cluster.TypeURL(), Node: &corev3.Node{Id: id, Cluster: "web", Metadata: metadata}, ResourceNamesSubscribe: []string{"*", "shop"}}
		if err := p.stream.Send(r); err != nil {
			t.Fatal(err)
		}
	}
	lie("shop/web-1")
	p.ack(p.hear("Cluster +evil=1"))
	p.ack(p.hear("Cluster -shop"))
	lie("shop/web-2")
	h.Set("shop/web-1", layer("shop", res(cluster, "shop", "2")))
	h.Set("evil/web-1", layer("evil", res(cluster, "evil", "2")))
	p.hear("Cluster +evil=2")
}

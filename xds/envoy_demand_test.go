package xds

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	demandv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/on_demand/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// demandMesh is one listener that asks for the virtual hosts that it lacks.
func demandMesh(t *testing.T, listen string, hosts ...*model.Resource) []*model.Resource {
	manager := &hcmv3.HttpConnectionManager{
		StatPrefix:     "outbound",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{RouteConfigName: "outbound", ConfigSource: ads}},
		HttpFilters: []*hcmv3.HttpFilter{
			{Name: "demand", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &demandv3.OnDemand{})}},
			{Name: "router", ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: packed(t, &routerv3.Router{})}},
		},
	}
	return append(hosts,
		encoded(t, route, "outbound", &routev3.RouteConfiguration{Name: "outbound", Vhds: &routev3.Vhds{ConfigSource: ads}}),
		virtualHost(t, "outbound/ready.invalid", "ready", "ready.invalid"),
		encoded(t, listener, "outbound", &listenerv3.Listener{
			Name: "outbound", Address: socketAddress(t, listen),
			FilterChains: []*listenerv3.FilterChain{{Filters: []*listenerv3.Filter{{
				Name: "http", ConfigType: &listenerv3.Filter_TypedConfig{TypedConfig: packed(t, manager)},
			}}}},
		}))
}

// virtualHost answers each request with a text; a bad one has a route that Envoy refuses.
func virtualHost(t *testing.T, name, text string, domains ...string) *model.Resource {
	match := &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: "/"}}
	if text == "bad" {
		match = &routev3.RouteMatch{}
	}
	vh := &routev3.VirtualHost{Name: name, Domains: domains, Routes: []*routev3.Route{{
		Match: match,
		Action: &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{
			Status: 200, Body: &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}},
		}},
	}}}
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(vh)
	if err != nil {
		t.Fatal(err)
	}
	r := model.Resource{Type: host, Name: name, Body: body}
	for _, domain := range domains {
		r.Aliases = append(r.Aliases, "outbound/"+domain)
	}
	return model.NewResource(r)
}

// calls a host through Envoy, within a second or two.
func calls(t *testing.T, listen, authority string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listen, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = authority
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", string(body))
}

func wantCall(t *testing.T, listen, authority, want string) {
	t.Helper()
	if got := calls(t, listen, authority); got != want {
		t.Errorf("%s answered %q, want %q", authority, got, want)
	}
}

// No request hangs: what nobody knows is denied, and heals when it appears.
func TestEnvoyOnDemand(t *testing.T) {
	listen := freeAddr(t)
	known := virtualHost(t, "outbound/known.ns:80", "known", "known", "known.ns")
	p := newPlane(t, layer("all", demandMesh(t, listen, known)...))
	startEnvoy(t, p, "DELTA_GRPC")
	p.settles(1, patience)
	eventually(t, "known", func() bool { return calls(t, listen, "known.ns") == "200 known" })
	wantCall(t, listen, "Known", "200 known")
	wantCall(t, listen, "unknown", "404 ")

	// It appears, also under another name than it was asked for.
	later := virtualHost(t, "outbound/unknown.ns:80", "later", "unknown", "unknown.ns")
	p.settles(p.held.Set("envoy-1", layer("all", demandMesh(t, listen, known, later)...)), patience)
	wantCall(t, listen, "unknown", "200 later")

	// It goes: the answer that it had stays until there is another, in one response.
	p.settles(p.held.Set("envoy-1", layer("all", demandMesh(t, listen, known)...)), patience)
	wantCall(t, listen, "unknown", "200 later")
	none := virtualHost(t, "outbound/unknown", "no such service", "unknown")
	p.settles(p.held.Set("envoy-1", layer("all", demandMesh(t, listen, known, none)...)), patience)
	wantCall(t, listen, "unknown", "200 no such service")
	p.settles(p.held.Set("envoy-1", layer("all", demandMesh(t, listen, known, later)...)), patience)
	wantCall(t, listen, "unknown", "200 later")

	// One bad of three.
	one, two := virtualHost(t, "outbound/one", "one", "one"), virtualHost(t, "outbound/two", "two", "two")
	bad := virtualHost(t, "outbound/bad", "bad", "bad")
	p.held.Set("envoy-1", layer("all", demandMesh(t, listen, known, later, one, bad, two)...))
	eventually(t, "one and two", func() bool {
		return calls(t, listen, "one") == "200 one" && calls(t, listen, "two") == "200 two"
	})
	eventually(t, "bad is named", func() bool {
		refusals := p.refusals("envoy-1")
		return len(refusals) == 1 && refusals[0].Name == "outbound/bad"
	})
	wantCall(t, listen, "bad", "404 ")
	p.settles(p.held.Set("envoy-1", layer("all", demandMesh(t, listen, known, later, one, two)...)), patience)

	// A new server sends nothing that Envoy has.
	p.g.Stop()
	p.start(layer("all", demandMesh(t, listen, known, later, one, two)...))
	p.settles(1, patience)
	wantCall(t, listen, "unknown", "200 later")
	if sent := p.Sent("envoy-1"); sent[host] > 1 || len(sent) > 1 { // "bad" is denied again
		t.Errorf("sent %v to an Envoy that has all", sent)
	}
}

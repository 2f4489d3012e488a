package peer

import (
	"context"
	"slices"
	"sync"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"weft.dev/identity"
	"weft.dev/model"
)

const (
	// reconnectTime between two tries to reach the server.
	reconnectTime = 100 * time.Millisecond
	// outboundRoutes is the name of the routes of a workload's own calls.
	outboundRoutes = "outbound"
)

type adsStream = discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient

// Proxy is a workload's agent and Envoy in one. It holds what was sent over lost
// connections, and says so when it comes back.
type Proxy struct {
	what    model.Registration
	conn    *grpc.ClientConn
	traffic chan model.TrafficReport
	called  chan struct{} // calls may have grown

	mu    sync.Mutex
	calls []string // names of virtual hosts that were asked for
	held  [model.NumTypes]map[string]*discoveryv3.Resource
	lost  error    // why it was not connected the last time
	news  []string // names of all that was received, "-" before those that were removed
}

// NewProxy prepares the proxy of a workload; Run connects it.
func NewProxy(server string, as *identity.Credential, what model.Registration) (*Proxy, error) {
	conn, err := DialAs(server, as)
	p := NewGuest(what)
	p.conn = conn
	return p, err
}

// NewGuest prepares a proxy that no agent stands beside; Visit connects it.
func NewGuest(what model.Registration) *Proxy {
	p := &Proxy{what: what, traffic: make(chan model.TrafficReport), called: make(chan struct{}, 1)}
	for t := range p.held {
		p.held[t] = map[string]*discoveryv3.Resource{}
	}
	return p
}

// Visit takes configuration from a server's port without TLS, until ctx ends.
func (p *Proxy) Visit(ctx context.Context, server string) error {
	conn, err := grpc.NewClient(server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	p.conn = conn
	return p.take(ctx)
}

// Versions are those of all that the proxy holds, by type and name.
func (p *Proxy) Versions() map[string]string {
	all := map[string]string{}
	for t := range model.NumTypes {
		for name, version := range p.versions(t) {
			all[t.String()+" "+name] = version
		}
	}
	return all
}

// News are the names of what was received since the last call, "-" before those that were removed.
func (p *Proxy) News() (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all, p.news = p.news, nil
	return all
}

// ID is the name by which the server knows the proxy.
func (p *Proxy) ID() string { return p.what.Namespace + "/" + p.what.Name }

// Resource is what the proxy holds under a name, as Envoy's protobuf; nil: nothing.
func (p *Proxy) Resource(t model.Type, name string) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held[t][name].GetResource().GetValue()
}

// Hosts are the virtual hosts that the proxy holds, as Envoy's protobufs.
func (p *Proxy) Hosts() (all [][]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.held[model.TypeVirtualHost] {
		all = append(all, r.GetResource().GetValue())
	}
	return all
}

// Call asks for a host, as the first request to it makes an Envoy do.
func (p *Proxy) Call(host string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name := outboundRoutes + "/" + host; !slices.Contains(p.calls, name) {
		p.calls = append(p.calls, name)
		p.wake()
	}
}

func (p *Proxy) wake() {
	select {
	case p.called <- struct{}{}:
	default:
	}
}

func (p *Proxy) calledHosts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Report hands a report to the server, once it is connected.
func (p *Proxy) Report(ctx context.Context, r model.TrafficReport) {
	select {
	case p.traffic <- r:
	case <-ctx.Done():
	}
}

// Run keeps the proxy connected until ctx ends.
func (p *Proxy) Run(ctx context.Context) {
	defer p.conn.Close()
	for ctx.Err() == nil {
		err := p.once(ctx)
		p.mu.Lock()
		p.lost = err
		p.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(reconnectTime):
		}
	}
}

// Lost is why the proxy's last connection ended; nil: the first one lasts.
func (p *Proxy) Lost() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

// once registers, and takes configuration for as long as the session lasts.
func (p *Proxy) once(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	stream, err := Session(ctx, p.conn, p.what)
	if err != nil {
		return err
	}
	var working sync.WaitGroup
	defer working.Wait()
	defer end(nil)
	working.Go(func() {
		for {
			if err := stream.RecvMsg(&model.ServerMessage{}); err != nil {
				end(err)
				return
			}
		}
	})
	working.Go(func() { end(p.take(ctx)) })
	p.speak(ctx, stream)
	return context.Cause(ctx)
}

// Session opens the session of a workload and waits until it is registered.
func Session(ctx context.Context, conn *grpc.ClientConn, what model.Registration) (grpc.ClientStream, error) {
	kind := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := conn.NewStream(ctx, kind, model.AgentSession, grpc.ForceCodec(model.AgentCodec{}), grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	// Where sending fails, receiving says why.
	_ = stream.SendMsg(&model.AgentMessage{Register: &what, Health: model.Healthy})
	return stream, stream.RecvMsg(&model.ServerMessage{})
}

// speak keeps the lease and hands reports on.
func (p *Proxy) speak(ctx context.Context, stream grpc.ClientStream) {
	heartbeat := time.NewTicker(model.LeaseInterval / 2)
	defer heartbeat.Stop()
	for {
		var m model.AgentMessage
		select {
		case <-ctx.Done():
			return
		case <-heartbeat.C:
		case r := <-p.traffic:
			m.Traffic = &r
		}
		if stream.SendMsg(&m) != nil {
			return
		}
	}
}

// take subscribes as an Envoy does, and acknowledges everything.
func (p *Proxy) take(ctx context.Context) error {
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(p.conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return err
	}
	calls := p.calledHosts()
	if err := p.greet(stream, calls); err != nil {
		return err
	}
	responses, ended := make(chan *discoveryv3.DeltaDiscoveryResponse), make(chan error, 1)
	go func() {
		for {
			response, err := stream.Recv()
			if err != nil {
				ended <- err
				return
			}
			select {
			case responses <- response:
			case <-ctx.Done():
				return
			}
		}
	}()
	asked := len(calls)
	for {
		var err error
		select {
		case response := <-responses:
			err = p.acknowledge(stream, response)
		case <-p.called:
			if names := p.calledHosts(); len(names) > asked {
				err = stream.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: model.TypeVirtualHost.TypeURL(), ResourceNamesSubscribe: names[asked:]})
				asked = len(names)
			}
		case err = <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

// greet is the first request of each type. Like an Envoy that comes back it names
// at once what it has called: a server takes what it holds and does not name for useless.
func (p *Proxy) greet(stream adsStream, calls []string) error {
	wanted := map[model.Type][]string{
		model.TypeCluster: {"*"}, model.TypeListener: {"*"}, model.TypeRoute: {outboundRoutes}, model.TypeVirtualHost: append([]string{"*"}, calls...), model.TypeEndpoint: p.endpoints(nil),
	}
	for _, t := range []model.Type{model.TypeCluster, model.TypeEndpoint, model.TypeListener, model.TypeRoute, model.TypeVirtualHost} {
		if len(wanted[t]) == 0 {
			continue // no name would mean all
		}
		first := &discoveryv3.DeltaDiscoveryRequest{
			Node: &corev3.Node{Id: p.ID(), Cluster: p.what.App}, TypeUrl: t.TypeURL(), ResourceNamesSubscribe: wanted[t], InitialResourceVersions: p.versions(t),
		}
		if err := stream.Send(first); err != nil {
			return err
		}
	}
	p.wake()
	return nil
}

func (p *Proxy) acknowledge(stream adsStream, response *discoveryv3.DeltaDiscoveryResponse) error {
	p.keep(response)
	ack := &discoveryv3.DeltaDiscoveryRequest{TypeUrl: response.GetTypeUrl(), ResponseNonce: response.GetNonce()}
	if err := stream.Send(ack); err != nil {
		return err
	}
	if response.GetTypeUrl() != model.TypeCluster.TypeURL() || len(response.GetResources()) == 0 {
		return nil
	}
	return stream.Send(&discoveryv3.DeltaDiscoveryRequest{
		TypeUrl: model.TypeEndpoint.TypeURL(), ResourceNamesSubscribe: p.endpoints(response.GetResources()),
	})
}

func (p *Proxy) versions(t model.Type) map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	versions := map[string]string{}
	for name, resource := range p.held[t] {
		versions[name] = resource.GetVersion()
	}
	return versions
}

func (p *Proxy) keep(response *discoveryv3.DeltaDiscoveryResponse) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range model.NumTypes {
		if t.TypeURL() != response.GetTypeUrl() {
			continue
		}
		for _, resource := range response.GetResources() {
			p.held[t][resource.GetName()] = resource
			p.news = append(p.news, t.String()+" "+resource.GetName())
		}
		for _, name := range response.GetRemovedResources() {
			delete(p.held[t], name)
			p.news = append(p.news, "-"+t.String()+" "+name)
		}
	}
}

// endpoints are the names that clusters ask endpoints for; nil: those of all that are held.
func (p *Proxy) endpoints(of []*discoveryv3.Resource) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if of == nil {
		for _, resource := range p.held[model.TypeCluster] {
			of = append(of, resource)
		}
	}
	var names []string
	for _, resource := range of {
		var cluster clusterv3.Cluster
		if proto.Unmarshal(resource.GetResource().GetValue(), &cluster) == nil && cluster.GetType() == clusterv3.Cluster_EDS {
			names = append(names, cluster.GetName())
		}
	}
	return names
}

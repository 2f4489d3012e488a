package xds

import (
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/types/known/anypb"

	"weft.dev/model"
)

// wire is one stream of one protocol.
type wire interface {
	// receive returns the next request. Requests for types that weft does not
	// serve are not returned: they stay unanswered, as xDS allows.
	receive() (Request, *corev3.Node, error)
	send(*Response) error
	session(Limits) *Session
}

var typeOfURL = func() map[string]model.Type {
	m := map[string]model.Type{}
	for t := range model.NumTypes {
		m[t.TypeURL()] = t
	}
	return m
}()

// unknownVersion is a version that we did not give out.
const unknownVersion = 1

func versionText(v uint64) string { return strconv.FormatUint(v, 16) }

func parseVersion(text string) uint64 {
	v, err := strconv.ParseUint(text, 16, 64)
	if err != nil || v == 0 {
		return unknownVersion
	}
	return v
}

// delta is the incremental protocol.
type delta struct {
	stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesServer
}

func (delta) session(l Limits) *Session { return NewSession(l) }

func (d delta) receive() (Request, *corev3.Node, error) {
	for {
		m, err := d.stream.Recv()
		if err != nil {
			return Request{}, nil, err
		}
		if t, ok := typeOfURL[m.GetTypeUrl()]; ok {
			return decodeDelta(t, m), m.GetNode(), nil
		}
	}
}

func decodeDelta(t model.Type, m *discoveryv3.DeltaDiscoveryRequest) Request {
	r := Request{
		Type: t, Nonce: m.GetResponseNonce(),
		Subscribe: m.GetResourceNamesSubscribe(), Unsubscribe: m.GetResourceNamesUnsubscribe(),
	}
	r.refusal(m.GetErrorDetail())
	if held := m.GetInitialResourceVersions(); len(held) > 0 {
		r.Holds = make(map[string]uint64, len(held))
		for name, version := range held {
			r.Holds[name] = parseVersion(version)
		}
	}
	return r
}

func (r *Request) refusal(detail *statuspb.Status) {
	if detail != nil {
		r.Refused, r.Reason = true, detail.GetMessage()
	}
}

func (d delta) send(r *Response) error { return d.stream.Send(encodeDelta(r)) }

func encodeDelta(r *Response) *discoveryv3.DeltaDiscoveryResponse {
	m := &discoveryv3.DeltaDiscoveryResponse{
		TypeUrl: r.Type.TypeURL(), Nonce: r.Nonce, SystemVersionInfo: r.Version, RemovedResources: r.Removed,
		Resources: make([]*discoveryv3.Resource, len(r.Resources)),
	}
	for i, res := range r.Resources {
		m.Resources[i] = &discoveryv3.Resource{Name: res.Name, Version: versionText(res.Version), Resource: encodeAny(res)}
	}
	return m
}

// encodeAny shares the bytes of the resource with every other stream.
func encodeAny(r *model.Resource) *anypb.Any {
	return &anypb.Any{TypeUrl: r.Type.TypeURL(), Value: r.Body}
}

// full is the state-of-the-world protocol.
type full struct {
	stream discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer
}

func (full) session(l Limits) *Session { return NewFullSession(l) }

func (f full) receive() (Request, *corev3.Node, error) {
	for {
		m, err := f.stream.Recv()
		if err != nil {
			return Request{}, nil, err
		}
		if t, ok := typeOfURL[m.GetTypeUrl()]; ok {
			return decodeFull(t, m), m.GetNode(), nil
		}
	}
}

func decodeFull(t model.Type, m *discoveryv3.DiscoveryRequest) Request {
	r := Request{Type: t, Nonce: m.GetResponseNonce(), Names: m.GetResourceNames(), Version: m.GetVersionInfo()}
	r.refusal(m.GetErrorDetail())
	return r
}

func (f full) send(r *Response) error { return f.stream.Send(encodeFull(r)) }

func encodeFull(r *Response) *discoveryv3.DiscoveryResponse {
	m := &discoveryv3.DiscoveryResponse{
		TypeUrl: r.Type.TypeURL(), Nonce: r.Nonce, VersionInfo: r.Version,
		Resources: make([]*anypb.Any, len(r.Resources)),
	}
	for i, res := range r.Resources {
		m.Resources[i] = encodeAny(res)
	}
	return m
}

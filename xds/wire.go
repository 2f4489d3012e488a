package xds

import (
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// wire is one stream of one protocol.
type wire struct {
	grpc.ServerStream
	full bool // state of the world
}

var typeOfURL = func() map[string]model.Type {
	m := map[string]model.Type{}
	for t := range model.NumTypes {
		m[t.TypeURL()] = t
	}
	return m
}()

func parseVersion(text string) uint64 {
	v, err := strconv.ParseUint(text, 16, 64)
	if err != nil || v == 0 {
		return unknownVersion
	}
	return v
}

// receive returns the next request. Requests for types that weft does not
// serve are not returned: they stay unanswered, as xDS allows.
func (w wire) receive() (message, error) {
	for {
		var m message
		var into any = (*deltaRequest)(&m)
		if w.full {
			into = (*fullRequest)(&m)
		}
		if err := w.RecvMsg(into); err != nil || m.known {
			return m, err
		}
	}
}

func (w wire) send(r *Response) error {
	if w.full {
		return w.SendMsg(fullResponse{r})
	}
	return w.SendMsg(deltaResponse{r})
}

// Node is what a client says of itself with its first request.
type Node struct {
	ID, Cluster string
	Full        bool              // it speaks state of the world
	Metadata    map[string]string // those values that are texts or numbers
	Version     string            // of Envoy
}

func (w wire) node(raw []byte) (Node, error) {
	var n corev3.Node
	if err := proto.Unmarshal(raw, &n); err != nil {
		return Node{}, err
	}
	node := Node{ID: n.GetId(), Cluster: n.GetCluster(), Full: w.full, Version: envoyVersion(&n)}
	for key, value := range n.GetMetadata().GetFields() {
		text := value.GetStringValue()
		if n := value.GetNumberValue(); n != 0 {
			text = strconv.FormatFloat(n, 'f', -1, 64)
		}
		if text != "" {
			if node.Metadata == nil {
				node.Metadata = map[string]string{}
			}
			node.Metadata[key] = text
		}
	}
	return node, nil
}

func envoyVersion(n *corev3.Node) string {
	v := n.GetUserAgentBuildVersion().GetVersion()
	if v == nil {
		return n.GetUserAgentVersion()
	}
	part := func(n uint32) string { return strconv.FormatUint(uint64(n), 10) }
	return part(v.GetMajorNumber()) + "." + part(v.GetMinorNumber()) + "." + part(v.GetPatch())
}

package load

import (
	"bytes"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
)

// The resource types that a proxy asks for. Dumps store these numbers: append only.
const (
	cds = iota
	eds
	lds
	rds
	vhds
	srds
	ntypes

	anyType = -1 // in a change predicate: whichever type shows it
)

var typeURLs = [ntypes]string{
	"type.googleapis.com/envoy.config.cluster.v3.Cluster",
	"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
	"type.googleapis.com/envoy.config.listener.v3.Listener",
	"type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
	"type.googleapis.com/envoy.config.route.v3.VirtualHost",
	"type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration",
}

var shortNames = [ntypes]string{"cds", "eds", "lds", "rds", "vhds", "srds"}

func typeIndex(url string) int { return slices.Index(typeURLs[:], url) }

// fields calls fn for every length-delimited or varint field of a message, and says
// whether the message is well formed. The client never builds Envoy messages from
// responses: it walks the wire to the few fields that decide what a proxy asks for next.
func fields(b []byte, fn func(num protowire.Number, v []byte, n uint64)) bool {
	for len(b) > 0 {
		num, typ, k := protowire.ConsumeTag(b)
		if k < 0 {
			return false
		}
		b = b[k:]
		var v []byte
		var n uint64
		switch typ {
		case protowire.BytesType:
			v, k = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			n, k = protowire.ConsumeVarint(b)
		default:
			k = protowire.ConsumeFieldValue(num, typ, b)
		}
		if k < 0 {
			return false
		}
		if typ == protowire.BytesType || typ == protowire.VarintType {
			fn(num, v, n)
		}
		b = b[k:]
	}
	return true
}

// each calls fn for every length-delimited field with this number.
func each(b []byte, num protowire.Number, fn func([]byte)) {
	fields(b, func(n protowire.Number, v []byte, _ uint64) {
		if n == num && v != nil {
			fn(v)
		}
	})
}

// interned keeps one copy of every resource name and version for all proxies.
type interned struct {
	mu sync.RWMutex
	m  map[string]string
}

var names = interned{m: map[string]string{}}

func (t *interned) get(b []byte) string {
	t.mu.RLock()
	s, ok := t.m[string(b)]
	t.mu.RUnlock()
	if ok {
		return s
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if s, ok := t.m[string(b)]; ok {
		return s
	}
	s = string(b)
	t.m[s] = s
	return s
}

// resource is one entry of a response; any is nil in a Resource without a body.
type resource struct {
	name, version string
	body          []byte // Any.value
	any           []byte // whole Any
}

type response struct {
	version, typeURL, nonce string
	resources               []resource
	removed                 []string
}

func anyValue(b []byte) (v []byte) {
	each(b, 2, func(x []byte) { v = x })
	return
}

// parseDelta reads a DeltaDiscoveryResponse.
func parseDelta(b []byte) (r response, ok bool) {
	ok = true
	well := fields(b, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 1:
			r.version = string(v)
		case 2:
			var x resource
			ok = fields(v, func(n protowire.Number, v []byte, _ uint64) {
				switch n {
				case 1:
					x.version = names.get(v)
				case 2:
					x.any, x.body = v, anyValue(v)
				case 3:
					x.name = names.get(v)
				}
			}) && ok
			r.resources = append(r.resources, x)
		case 4:
			r.typeURL = string(v)
		case 5:
			r.nonce = string(v)
		case 6:
			r.removed = append(r.removed, names.get(v))
		}
	})
	return r, ok && well
}

// parseSotw reads a DiscoveryResponse; every type's name is its field 1.
func parseSotw(b []byte) (r response, ok bool) {
	ok = fields(b, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 1:
			r.version = string(v)
		case 2:
			x := resource{any: v, body: anyValue(v)}
			each(x.body, 1, func(v []byte) { x.name = names.get(v) })
			r.resources = append(r.resources, x)
		case 4:
			r.typeURL = string(v)
		case 5:
			r.nonce = string(v)
		}
	})
	return r, ok
}

// references is what a resource makes Envoy ask for next over the same stream.
type references struct {
	names      []string // of ClusterLoadAssignments for a Cluster, else of RouteConfigurations
	vhds, srds bool
}

func referencesOf(t int, body []byte) (r references) {
	switch t {
	case cds:
		if n := edsName(body); n != "" {
			r.names = append(r.names, n)
		}
	case lds:
		connectionManagers(body, r.fromHCM)
	case srds:
		if n := scopeRoute(body); n != "" {
			r.names = append(r.names, n)
		}
	case rds: // RouteConfiguration.vhds = 9, Vhds.config_source = 1
		each(body, 9, func(v []byte) {
			each(v, 1, func(src []byte) { r.vhds = r.vhds || overADS(src) })
		})
	}
	return
}

// overADS says whether a ConfigSource is ads (3) or self (5).
func overADS(src []byte) (yes bool) {
	fields(src, func(n protowire.Number, _ []byte, _ uint64) { yes = yes || n == 3 || n == 5 })
	return
}

// edsName returns the EDS resource name a Cluster refers to, or "".
func edsName(cluster []byte) string {
	var name, service []byte
	isEDS := false
	fields(cluster, func(n protowire.Number, v []byte, x uint64) {
		switch n {
		case 1:
			name = v
		case 2:
			isEDS = x == 3
		case 3: // eds_cluster_config.service_name
			each(v, 2, func(v []byte) { service = v })
		}
	})
	switch {
	case !isEDS:
		return ""
	case len(service) > 0:
		return names.get(service)
	}
	return names.get(name)
}

// scopeRoute returns the RouteConfiguration that a ScopedRouteConfiguration names. An
// on_demand scope names none before its first request, which simulated proxies never get.
func scopeRoute(scope []byte) (name string) {
	lazy := false
	fields(scope, func(n protowire.Number, v []byte, x uint64) {
		switch n {
		case 2:
			name = names.get(v)
		case 4:
			lazy = x != 0
		}
	})
	if lazy {
		return ""
	}
	return name
}

// connectionManagers calls fn for every HttpConnectionManager in a Listener.
func connectionManagers(listener []byte, fn func([]byte)) {
	typed := func(any []byte) {
		var url []byte
		each(any, 1, func(v []byte) { url = v })
		if bytes.HasSuffix(url, []byte(".HttpConnectionManager")) {
			fn(anyValue(any))
		}
	}
	chain := func(c []byte) { // filters, typed_config
		each(c, 3, func(filter []byte) { each(filter, 4, typed) })
	}
	each(listener, 3, chain)
	each(listener, 25, chain)                                    // default_filter_chain
	each(listener, 19, func(api []byte) { each(api, 1, typed) }) // api_listener
}

// fromHCM adds what rds (3) and scoped_routes (31) of an HttpConnectionManager refer to.
func (r *references) fromHCM(hcm []byte) {
	fields(hcm, func(n protowire.Number, v []byte, _ uint64) {
		switch n {
		case 3:
			var name []byte
			ads := false
			fields(v, func(n protowire.Number, v []byte, _ uint64) {
				switch n {
				case 1:
					ads = overADS(v)
				case 2:
					name = v
				}
			})
			if ads {
				r.names = append(r.names, names.get(name))
			}
		case 31:
			each(v, 4, func(list []byte) { // scopes inside the listener
				each(list, 1, func(scope []byte) {
					if n := scopeRoute(scope); n != "" {
						r.names = append(r.names, n)
					}
				})
			})
			each(v, 5, func(scoped []byte) { // scoped_rds
				each(scoped, 1, func(src []byte) { r.srds = r.srds || overADS(src) })
			})
		}
	})
}

// socketAddress is the wire form of core.SocketAddress{address, port_value} (fields 2 and 3, in order).
func socketAddress(addr string, port uint64) []byte {
	var b []byte
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendString(b, addr)
	b = protowire.AppendTag(b, 3, protowire.VarintType)
	b = protowire.AppendVarint(b, port)
	return b
}

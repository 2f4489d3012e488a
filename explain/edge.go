package explain

import (
	"fmt"
	"strings"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
)

// chainFor is what takes a connection at a gateway, as Envoy chooses: by the
// host that it asks for, which is said without a dot at the end. Without one, the error says why it is closed.
func chainFor(l *listenerv3.Listener, m message) (chain *listenerv3.FilterChain, err error) {
	host := strings.ToLower(withoutPort(withoutDot(m.headers[":authority"])))
	best := -1
	encrypted := false
	for _, c := range l.FilterChains {
		encrypted = encrypted || c.GetFilterChainMatch().GetTransportProtocol() == "tls"
		names := c.GetFilterChainMatch().GetServerNames()
		if len(names) == 0 {
			names = []string{"*"}
		}
		for _, name := range names {
			if rank := domainRank(name, host); rank > best {
				best, chain = rank, c
			}
		}
	}
	switch {
	case chain != nil && leadsOn(chain) && !encrypted:
		return nil, fmt.Errorf("port of %s: all its connections are led on, by %s: what is asked in them is not seen here", l.Name, owner(l, chain))
	case encrypted && m.headers[":scheme"] != "https":
		return nil, fmt.Errorf("port of %s: it takes TLS only; ask by https://", l.Name)
	case !encrypted && m.headers[":scheme"] == "https":
		return nil, fmt.Errorf("port of %s: it takes plain HTTP only; ask by http://", l.Name)
	case chain == nil:
		return nil, fmt.Errorf("port of %s: none of its certificates is for %s, so the connection is closed", l.Name, host)
	case leadsOn(chain):
		how := map[bool]string{true: "led on unopened", false: "opened and led on"}[chain.TransportSocket == nil]
		return nil, fmt.Errorf("port of %s: connections for %s are %s, by %s: what is asked in them is not seen here", l.Name, host, how, owner(l, chain))
	}
	return chain, nil
}

// leadsOn says whether a chain leads connections on as a whole.
func leadsOn(chain *listenerv3.FilterChain) bool {
	return len(chain.Filters) > 0 && chain.Filters[len(chain.Filters)-1].GetTypedConfig().MessageIs(&tcpv3.TcpProxy{})
}

// owner is the object whose chain it is.
func owner(l *listenerv3.Listener, chain *listenerv3.FilterChain) string {
	object, _, _ := strings.Cut(strings.TrimPrefix(chain.Name, l.Name+"."), "#")
	return object
}

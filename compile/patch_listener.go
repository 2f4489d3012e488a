package compile

import (
	"fmt"
	"slices"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"weft.dev/model"
)

func (p patching) listener(l *listenerv3.Listener) error {
	switch {
	case p.Listener != "" && p.Listener != withoutTwin(l.Name):
		return nil
	case p.Port != 0 && p.at == model.PatchOutbound:
		return fmt.Errorf("one listener takes calls to all ports there; remove portNumber")
	case p.Of == model.PatchListener:
		if l.UdpListenerConfig != nil || p.Port != 0 && !isOfPort(l.Name, nil, p.Port) {
			return nil // what is said of a listener is said of TCP
		}
		return p.merge(l)
	}
	chains := slices.Clone(l.FilterChains)
	if l.DefaultFilterChain != nil {
		chains = append(chains, l.DefaultFilterChain)
	}
	for _, chain := range chains {
		if !p.selects(l.Name, chain) {
			continue
		}
		var err error
		switch p.Of {
		case model.PatchChain:
			err = p.merge(chain)
		case model.PatchNetwork:
			chain.Filters, err = patchList(p.Do, p.Filter, p.Value, chain.Filters, func() *listenerv3.Filter { return &listenerv3.Filter{} })
		case model.PatchHTTP:
			err = p.managers(chain)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p patching) selects(listener string, chain *listenerv3.FilterChain) bool {
	m := chain.GetFilterChainMatch()
	return (p.Port == 0 || isOfPort(listener, m, p.Port)) && (p.Chain == "" || p.Chain == chain.Name) &&
		(p.SNI == "" || slices.Contains(m.GetServerNames(), p.SNI)) && (p.Speaks == "" || p.Speaks == m.GetTransportProtocol() || p.Speaks == "tls" && m.GetTransportProtocol() == "quic")
}

// isOfPort says whether a listener, or a chain of the one for all ports, is of a port.
func isOfPort(listener string, m *listenerv3.FilterChainMatch, number uint32) bool {
	return portIn(withoutTwin(listener)) == number || m.GetDestinationPort().GetValue() == number
}

// managers patches the filters of HTTP of a chain.
func (p patching) managers(chain *listenerv3.FilterChain) error {
	for _, f := range chain.Filters {
		if f.Name != hcmFilter || p.Filter != "" && p.Filter != f.Name {
			continue
		}
		m, err := managerOf(f)
		if err != nil {
			return err
		}
		if m.HttpFilters, err = patchList(p.Do, p.Sub, p.Value, m.HttpFilters, func() *hcmv3.HttpFilter { return &hcmv3.HttpFilter{} }); err != nil {
			return err
		}
		f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: pack(m)}
	}
	return nil
}

func managerOf(f *listenerv3.Filter) (*hcmv3.HttpConnectionManager, error) {
	m := &hcmv3.HttpConnectionManager{}
	return m, f.GetTypedConfig().UnmarshalTo(m)
}

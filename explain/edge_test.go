package explain

import (
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
)

// A connection is taken by the most exact of the names that it may ask for, which are without a port and a dot at the end.
func TestChainOfAConnection(t *testing.T) {
	chain := func(name string, hosts ...string) *listenerv3.FilterChain {
		return &listenerv3.FilterChain{Name: name, FilterChainMatch: &listenerv3.FilterChainMatch{TransportProtocol: "tls", ServerNames: hosts}}
	}
	l := &listenerv3.Listener{Name: "gateway.443", FilterChains: []*listenerv3.FilterChain{chain("all"), chain("suffix", "*.a.test"), chain("one", "b.a.test", "a.test")}}
	for authority, want := range map[string]string{"a.test": "one", "A.test:443": "one", "a.test.": "one", "a.test.:443": "one", "b.a.test": "one", "c.a.test.": "suffix", "x": "all"} {
		got, err := chainFor(l, message{headers: map[string]string{":authority": authority, ":scheme": "https"}})
		if err != nil || got.Name != want {
			t.Errorf("%s: %v %v, want %s", authority, got.GetName(), err, want)
		}
	}
}

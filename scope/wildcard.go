package scope

import (
	"slices"
	"strings"

	"weft.dev/flow"
	"weft.dev/model"
)

// A proxy that knows a wildcard asks for no name below it, as it has an answer; and a
// wildcard is no answer to one that asks for a name. So callers are told of those of
// their own namespace at once, and with each that they know of the services whose names
// are below it. Those of others they learn of by asking in vain, or declare.

// wild are the wildcards of a namespace.
func (n names) wild(x *flow.Ctx, namespace string) []string {
	var hosts []string
	for _, t := range flow.Lookup(x, n.wildcards, namespace) {
		hosts = append(hosts, t.Host)
	}
	return hosts
}

// below adds to hosts what is below the wildcards among them.
func (n names) below(x *flow.Ctx, hosts []string) []string {
	all := hosts
	for _, host := range hosts {
		if strings.HasPrefix(host, "*.") {
			all = slices.Concat(all, hostsOf(flow.Lookup(x, n.ofSuffix, host), model.HostPattern{Host: host}))
		}
	}
	if len(all) == len(hosts) {
		return hosts
	}
	return sorted(all)
}

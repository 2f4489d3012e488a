package main

import (
	"context"
	"fmt"
	"strconv"

	"weft.dev/agent"
	"weft.dev/install/redirect"
	"weft.dev/model"
)

// redirectTraffic leads the TCP of this network namespace into Envoy.
func redirectTraffic(_ context.Context, args []string) (int, error) {
	f := newFlags(`Lead all TCP of this network namespace into Envoy, or take that back. It needs the capability NET_ADMIN, and no
other program: only where the kernel has no nf_tables, iptables-restore and ip6tables-restore, and the capability
NET_RAW. Rules of an earlier run are replaced in one step; open connections stay as they are.`,
		"  weft-agent redirect --exclude-inbound 15020,15021\n  weft-agent redirect --dry-run | nft -c -f -\n  weft-agent redirect --remove")
	r := redirect.Rules{ProxyUser: model.ProxyUser}
	var exclude excludeFlags
	f.Uint16Var(&r.Outbound, "outbound", model.RedirectedOutbound, "port of Envoy for what is called from here")
	f.Uint16Var(&r.Inbound, "inbound", model.RedirectedInbound, "port of Envoy for what is called here")
	f.Uint32Var(&r.ProxyUser, "proxy-uid", model.ProxyUser, "user of Envoy, whose own calls stay as they are")
	inbound := f.StringSlice("exclude-inbound", texts(redirect.DefaultExcludeInbound()), "`PORTS` at which callers are not redirected")
	exclude.set(f)
	dryRun := f.Bool("dry-run", false, "print the rules, as nft reads them, and change nothing")
	remove := f.Bool("remove", false, "take the rules away")
	if err := parse(f, args, false); err != nil {
		return exitUsage, err
	}
	var err error
	if r.ExcludeOutbound, r.ExcludeNetworks, err = exclude.parse(); err == nil {
		r.ExcludeInbound, err = portNumbers("--exclude-inbound", *inbound)
	}
	if err == nil {
		err = r.Check()
	}
	switch {
	case err != nil:
		return exitUsage, err
	case *dryRun:
		fmt.Print(r)
		return 0, nil
	case *remove:
		err = redirect.Remove()
	default:
		err = r.Apply()
	}
	if err != nil {
		return exitFailed, err
	}
	return 0, nil
}

func texts(ports []uint16) []string {
	all := make([]string, len(ports))
	for i, p := range ports {
		all[i] = strconv.Itoa(int(p))
	}
	return all
}

// redirection is that of an application on a host.
func redirection(exclude excludeFlags) (agent.Redirection, error) {
	ports, networks, err := exclude.parse()
	return &redirect.Host{ExcludeOutbound: ports, ExcludeNetworks: networks}, err
}

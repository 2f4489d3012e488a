package main

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"

	"weft.dev/install/redirect"
	"weft.dev/model"
)

// redirectTraffic leads the TCP of this network namespace into Envoy.
func redirectTraffic(_ context.Context, args []string) (int, error) {
	f := newFlags(`Lead all TCP of this network namespace into Envoy, or take that back. It needs the capability NET_ADMIN, and no
other program. Rules of an earlier run are replaced in one step; open connections stay as they are.`,
		"  weft-agent redirect --exclude-inbound 15020,15021\n  weft-agent redirect --dry-run | nft -c -f -\n  weft-agent redirect --remove")
	r := redirect.Rules{ProxyUser: model.ProxyUser}
	f.Uint16Var(&r.Outbound, "outbound", model.RedirectedOutbound, "port of Envoy for what is called from here")
	f.Uint16Var(&r.Inbound, "inbound", model.RedirectedInbound, "port of Envoy for what is called here")
	f.Uint32Var(&r.ProxyUser, "proxy-uid", model.ProxyUser, "user of Envoy, whose own calls stay as they are")
	inbound := f.StringSlice("exclude-inbound", texts(redirect.DefaultExcludeInbound()), "ports at which callers stay as they are")
	outbound := f.StringSlice("exclude-outbound", nil, "ports to which calls stay as they are")
	networks := f.StringSlice("exclude-cidr", nil, "networks to which calls stay as they are, as 10.0.0.0/8")
	dryRun := f.Bool("dry-run", false, "print the rules, as nft reads them, and change nothing")
	remove := f.Bool("remove", false, "take the rules away")
	if err := parse(f, args, false); err != nil {
		return exitUsage, err
	}
	err := understandExcludes(&r, *inbound, *outbound, *networks)
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

func understandExcludes(r *redirect.Rules, inbound, outbound, networks []string) (err error) {
	if r.ExcludeInbound, err = portNumbers("--exclude-inbound", inbound); err != nil {
		return err
	}
	if r.ExcludeOutbound, err = portNumbers("--exclude-outbound", outbound); err != nil {
		return err
	}
	for _, text := range networks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return fmt.Errorf("--exclude-cidr %q: use ADDRESS/BITS, as 10.0.0.0/8", text)
		}
		r.ExcludeNetworks = append(r.ExcludeNetworks, network)
	}
	return nil
}

func portNumbers(flag string, texts []string) ([]uint16, error) {
	var all []uint16
	for _, text := range texts {
		number, err := strconv.ParseUint(text, 10, 16)
		if err != nil || number == 0 {
			return nil, fmt.Errorf("%s %q: use numbers from 1 to 65535", flag, text)
		}
		all = append(all, uint16(number))
	}
	return all, nil
}

func texts(ports []uint16) []string {
	all := make([]string, len(ports))
	for i, p := range ports {
		all[i] = strconv.Itoa(int(p))
	}
	return all
}

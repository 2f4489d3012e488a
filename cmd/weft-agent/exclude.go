package main

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/spf13/pflag"
)

// excludeFlags name calls that are not led into Envoy.
type excludeFlags struct{ ports, networks []string }

func (e *excludeFlags) set(f *pflag.FlagSet) {
	f.StringSliceVar(&e.ports, "exclude-outbound", nil, "`PORTS` to which calls are not redirected")
	f.StringSliceVar(&e.networks, "exclude-cidr", nil, "`NETWORKS` to which calls are not redirected, as 10.0.0.0/8")
}

func (e *excludeFlags) parse() (ports []uint16, networks []netip.Prefix, err error) {
	if ports, err = portNumbers("--exclude-outbound", e.ports); err != nil {
		return nil, nil, err
	}
	for _, text := range e.networks {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, nil, fmt.Errorf("--exclude-cidr %q: use ADDRESS/BITS, as 10.0.0.0/8", text)
		}
		networks = append(networks, network)
	}
	return ports, networks, nil
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

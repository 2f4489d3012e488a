package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"runtime"
	"strconv"

	"weft.dev/identity"
	"weft.dev/model"
)

const (
	portsFile = "ports.json"
	// Ports are picked below those that Linux gives to outgoing connections, and above those that weft host gives to applications.
	firstPort, lastPort = 22_000, 32_000
	portTries           = 200
)

// ports are the ones that this workload has picked, kept over restarts.
type ports struct {
	Outbound uint32            `json:"outbound"`
	Proxy    map[uint32]uint32 `json:"proxy"` // by the service's port
	App      map[uint32]uint32 `json:"app"`
}

// claims keep ports for one agent from when it picks them until it ends: what
// is to listen on them starts only later. They are sockets without a file, of
// the machine's network, that end with the process.
type claims []net.Listener

func (c *claims) take(port uint32) bool {
	if runtime.GOOS != "linux" {
		return true // nothing of the kind: a port may then be picked twice in the same second
	}
	listener, err := net.Listen("unix", "@weft-port-"+strconv.Itoa(int(port)))
	if err != nil {
		return false
	}
	*c = append(*c, listener)
	return true
}

func (c claims) close() {
	for _, listener := range c {
		listener.Close()
	}
}

// assignPorts fills in the ports that the registration leaves open.
func assignPorts(files identity.Dir, r model.Registration, held *claims) (model.Registration, error) {
	p := ports{Proxy: map[uint32]uint32{}, App: map[uint32]uint32{}}
	data, err := files.Read(portsFile)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, fmt.Errorf("ports of the workload: %s: %w; remove it to have new ones picked", portsFile, err)
	}
	if p.Proxy == nil || p.App == nil { // somebody wrote null
		p = ports{Outbound: p.Outbound, Proxy: map[uint32]uint32{}, App: map[uint32]uint32{}}
	}
	keep := func(port *uint32, kept uint32) uint32 {
		if *port == 0 && kept != 0 {
			*port = kept
			held.take(kept) // it is ours, whoever else thinks so
		}
		if *port == 0 && err == nil {
			*port, err = freePort(held)
		}
		return *port
	}
	err = nil
	r.Ports = append([]model.WorkloadPort(nil), r.Ports...)
	if r.Gateway == "" {
		p.Outbound = keep(&r.OutboundPort, p.Outbound)
	}
	for i := range r.Ports {
		port := &r.Ports[i]
		p.Proxy[port.Number] = keep(&port.ProxyPort, p.Proxy[port.Number])
		if r.Gateway == "" {
			p.App[port.Number] = keep(&port.AppPort, p.App[port.Number])
		}
	}
	if err != nil {
		return r, err
	}
	if data, err = json.Marshal(p); err != nil {
		return r, err
	}
	return r, files.Write(portsFile, data)
}

func freePort(held *claims) (uint32, error) {
	for range portTries {
		port := uint32(firstPort + rand.N(lastPort-firstPort))
		if !held.take(port) {
			continue
		}
		listener, err := net.Listen("tcp", ":"+strconv.Itoa(int(port)))
		if err != nil {
			continue
		}
		return port, listener.Close()
	}
	return 0, fmt.Errorf("no free port was found between %d and %d in %d tries", firstPort, lastPort, portTries)
}

// hasIPv6 says whether Envoy can listen on loopback by IPv6, too.
func hasIPv6() bool {
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	listener.Close()
	return true
}

package compile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"weft.dev/model"
)

// gatewayPort is a port that some gateways share on one proxy.
type gatewayPort struct {
	number           uint32
	udp              bool // it takes datagrams; one of TCP may have its number
	chains           []chain
	leading          []gatewayListener // which lead whole connections on
	connectionRoutes []connectionRoute // where those go
}

// first is one of those that listen at the port.
func (p gatewayPort) first() gatewayListener {
	if len(p.leading) > 0 {
		return p.leading[0]
	}
	return p.chains[0].listeners[0]
}

// chain is what a port does with connections that ask for some hosts. All that
// enter by one have the same routes, and proved themselves in the same way: who
// came by one host must not reach another that asks more of callers.
type chain struct {
	name      string          // of its routes, too
	listener  string          // whose alone it is: those of the Gateway API share no connection; "": of all with its certificate
	tls       model.ServerTLS // with the namespace of the secret; none: plain text
	ca        string          // secret that says which callers to trust
	hosts     []string        // that connections ask for by TLS
	elsewhere []string        // hosts among them that other chains serve
	listeners []gatewayListener
}

type gatewayListener struct {
	gateway  model.Gateway
	listener model.GatewayListener
	ca       string // secret that says which callers to trust, where it opens connections by itself
}

// portsOf are those of the gateways that this version serves, for proxies of a
// namespace. The others are problems: nothing listens there, and that must not
// be silent.
func portsOf(all []model.Gateway, namespace string) (ports []gatewayPort, problems []model.Problem) {
	type port struct {
		number uint32
		udp    bool
	}
	by := map[port]*gatewayPort{}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b model.Gateway) int { // who runs the proxies comes first
		return -model.CompareBool(a.Object.Namespace == namespace, b.Object.Namespace == namespace)
	})
	for _, g := range all {
		for _, l := range g.Listeners {
			key := port{l.Port, l.Protocol == model.GatewayUDP}
			p := by[key]
			if p == nil {
				p = &gatewayPort{number: key.number, udp: key.udp}
			}
			if l.TLS.Secret != "" && !l.TLS.OfMesh() && !strings.Contains(l.TLS.Secret, "/") {
				l.TLS.Secret = namespace + "/" + l.TLS.Secret
				if l.TLS.Trust != "" && !strings.Contains(l.TLS.Trust, "/") {
					l.TLS.Trust = namespace + "/" + l.TLS.Trust
				}
			}
			if problem := p.add(gatewayListener{gateway: g, listener: l}); problem != nil {
				problems = append(problems, *problem)
			}
			if len(p.chains)+len(p.leading) > 0 {
				by[key] = p
			}
		}
	}
	for key, p := range by {
		p.part()
		if datagrams := by[port{key.number, true}]; datagrams != nil {
			problems = append(problems, p.withoutHTTP3(datagrams.first())...)
		}
		ports = append(ports, *p)
	}
	slices.SortFunc(ports, func(a, b gatewayPort) int {
		return cmp.Or(cmp.Compare(a.number, b.number), model.CompareBool(a.udp, b.udp))
	})
	return ports, problems
}

// add puts a listener into the chain that serves it. The first one decides what
// a port speaks, and who serves a host: Envoy refuses a port where that is open.
func (p *gatewayPort) add(l gatewayListener) *model.Problem {
	refuse := func(code, format string, args ...any) *model.Problem {
		return &model.Problem{
			Object: l.gateway.Object, Code: code, Path: l.listener.Origin.Path,
			Message: fmt.Sprintf("port %d: ", p.number) + fmt.Sprintf(format, args...),
		}
	}
	switch {
	case len(p.chains)+len(p.leading) > 0 && !p.first().listener.Protocol.Shares(l.listener.Protocol):
		return refuse(model.ProblemConflict, "%s serves it with another protocol; choose another port", p.first().gateway.Object)
	case l.listener.Protocol.Connections() != "":
		p.leading = append(p.leading, l)
		return nil
	}
	taken := p.takenFrom(&l)
	if len(l.listener.Hosts) > 0 {
		p.put(l)
	}
	if len(taken) > 0 {
		return refuse(model.ProblemHostConflict, "another certificate is shown for %s already; choose other hosts, or the same certificate", strings.Join(taken, " "))
	}
	return nil
}

// takenFrom takes those hosts from a listener that other chains serve.
func (p *gatewayPort) takenFrom(l *gatewayListener) (taken []string) {
	var left []string
	for _, host := range l.listener.Hosts {
		if slices.ContainsFunc(p.chains, func(c chain) bool { return !c.tls.Equal(l.listener.TLS) && slices.Contains(c.hosts, host) }) {
			taken = append(taken, host)
		} else {
			left = append(left, host)
		}
	}
	l.listener.Hosts = left
	return taken
}

func (p *gatewayPort) put(l gatewayListener) {
	own := ""
	if l.gateway.Proxy != "" && l.listener.TLS.Secret != "" {
		own = l.listener.Name
		if l.gateway.Home != "" {
			own = l.gateway.Object.Namespace + "." + l.gateway.Object.Name + "." + own
		}
	}
	i := slices.IndexFunc(p.chains, func(c chain) bool { return c.tls.Equal(l.listener.TLS) && c.listener == own })
	if i < 0 {
		i = len(p.chains)
		p.chains = append(p.chains, chain{name: GatewayName(p.number), tls: l.listener.TLS, listener: own})
		if c := &p.chains[i]; c.tls.Secret != "" {
			c.name += tlsName(c.tls)
			if own != "" {
				c.name += "." + own
			}
		}
	}
	c := &p.chains[i]
	c.listeners = append(c.listeners, l)
	if c.tls.Secret == "" {
		return // a request says its host by itself
	}
	for _, host := range l.listener.Hosts {
		if !slices.Contains(c.hosts, host) {
			c.hosts = append(c.hosts, host)
		}
	}
	slices.Sort(c.hosts)
}

// tlsName tells apart what is shown by TLS and asked of callers, to be put behind a name.
func tlsName(tls model.ServerTLS) string {
	name := "." + strings.ReplaceAll(tls.Secret, "/", ".")
	if tls.Trust != "" {
		name += "." + strings.ReplaceAll(tls.Trust, "/", ".")
	}
	name += string(tls.Callers)
	if tls.Oldest+tls.Newest != "" {
		name += "." + tls.Oldest + "-" + tls.Newest
	}
	if more := [][]string{tls.Ciphers, tls.Names, tls.KeyHashes, tls.Hashes}; slices.ContainsFunc(more, func(all []string) bool { return len(all) > 0 }) {
		name += "." + digest(more)
	}
	return name
}

// part finds what each chain must leave to others.
func (p *gatewayPort) part() {
	for i := range p.chains {
		c := &p.chains[i]
		for _, o := range p.chains {
			for _, host := range o.hosts {
				if o.name != c.name && slices.ContainsFunc(c.hosts, func(wide string) bool { return model.Covers(wide, host) }) {
					c.elsewhere = append(c.elsewhere, host)
				}
			}
		}
	}
}

// mayServe says whether requests for a domain enter by the listener: those of
// the Gateway API share no host with a listener that names it more closely.
func (c chain) mayServe(l gatewayListener, by, domain string) bool {
	if slices.ContainsFunc(c.elsewhere, func(host string) bool { return model.Covers(host, domain) }) {
		return false
	}
	if l.gateway.Proxy == "" {
		return true
	}
	return !slices.ContainsFunc(c.listeners, func(o gatewayListener) bool {
		return o.gateway.Proxy == l.gateway.Proxy && slices.ContainsFunc(o.listener.Hosts, func(host string) bool {
			return host != by && model.Covers(by, host) && model.Covers(host, domain)
		})
	})
}

// domains are those for which a table's requests enter by a listener.
func (c chain) domains(l gatewayListener, t model.RouteTable) (all []string) {
	for _, by := range l.listener.Hosts {
		for _, domain := range hostsInCommon([]string{by}, t.Hosts) {
			if c.mayServe(l, by, domain) && !slices.Contains(all, domain) {
				all = append(all, domain)
			}
		}
	}
	return all
}

// misdirected is for requests that came by a connection for other hosts: with
// 421 a client makes one for theirs.
const (
	misdirected     = 421
	misdirectedBody = "weft: %REQ(:AUTHORITY)% is not served by a connection that was made for %REQUESTED_SERVER_NAME%\n"
)

// silent are the hosts of listeners without routes beside others that would
// else answer for them, and those of other chains.
func (c chain) silent() (all []*routev3.VirtualHost) {
	others := slices.Clone(c.elsewhere)
	if c.listener != "" && !slices.Contains(c.hosts, "*") {
		others = append(others, "*")
	}
	for _, host := range others {
		all = append(all, &routev3.VirtualHost{Name: hostName(c.name, host), Domains: []string{host}, Routes: []*routev3.Route{{
			Name: RouteNone, Match: noRoute().Match, Action: said(misdirected, misdirectedBody),
		}}})
	}
	for _, l := range c.listeners {
		if l.gateway.Proxy == "" || len(c.listeners) == 1 {
			continue
		}
		for _, host := range l.listener.Hosts {
			all = append(all, &routev3.VirtualHost{Name: hostName(c.name, host), Domains: []string{host}, Routes: []*routev3.Route{noRoute()}})
		}
	}
	return all
}

// secrets are those that the port shows and trusts.
func (p gatewayPort) secrets() (all []string) {
	for _, c := range p.chains {
		all = append(all, c.tls.Secret, c.ca)
	}
	for _, l := range p.leading {
		all = append(all, l.listener.TLS.Secret, l.ca)
	}
	return slices.DeleteFunc(all, func(name string) bool { return name == "" })
}

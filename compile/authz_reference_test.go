package compile

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"weft.dev/model"
)

// question is a call as the documentation of AuthorizationPolicy speaks of it.
type question struct {
	http               bool // false: bytes that nobody reads
	method, path       string
	authority          string
	headers            map[string][]string // lower case; one with several values stands there several times
	identity           string              // of a verified certificate; "": none
	direct, remote, at netip.Addr          // who connected, for whom, and to where
	port               uint32
	sni                string
}

// allowed is the documentation, rule by rule: a DENY that holds refuses; without
// any ALLOW all else is let through, with one only what an ALLOW holds for.
// Policies on trial refuse nothing.
func (c question) allowed(all []model.Authorization) bool {
	return !c.denied(all, false) && c.permitted(all, false)
}

func (c question) denied(all []model.Authorization, trial bool) bool {
	return slices.ContainsFunc(all, func(a model.Authorization) bool {
		return a.Action == model.Deny && a.DryRun == trial && c.policyHolds(a)
	})
}

func (c question) permitted(all []model.Authorization, trial bool) bool {
	permits := slices.DeleteFunc(slices.Clone(all), func(a model.Authorization) bool { return a.Action != model.Allow || a.DryRun != trial })
	return len(permits) == 0 || slices.ContainsFunc(permits, c.policyHolds)
}

func (c question) policyHolds(a model.Authorization) bool {
	// What nobody can see of a call is taken as what refuses it: an ALLOW does
	// not hold, a DENY does as far as the rest of its rule goes.
	taken := a.Action == model.Deny
	return slices.ContainsFunc(a.Rules, func(r model.AuthzRule) bool {
		from := len(r.From) == 0 || slices.ContainsFunc(r.From, func(s model.AuthzSource) bool { return c.sourceHolds(s, taken) })
		to := len(r.To) == 0 || slices.ContainsFunc(r.To, func(o model.AuthzOperation) bool { return c.operationHolds(o, taken) })
		return from && to && !slices.ContainsFunc(r.When, func(w model.AuthzCondition) bool { return !c.conditionHolds(w).or(taken) })
	})
}

// finding is yes, no, or that it cannot be seen.
type finding struct{ yes, unseen bool }

func (a finding) or(taken bool) bool { return a.yes && !a.unseen || a.unseen && taken }

// sourceHolds is of calls without a token; whether a connection has one, nobody can see.
func (c question) sourceHolds(s model.AuthzSource, taken bool) bool {
	unseen := !c.http && len(s.RequestPrincipals)+len(s.NotReqPr) > 0
	return c.is(s.Principals, s.NotPrincipals, c.hasIdentity) &&
		c.is(s.Namespaces, s.NotNamespaces, c.isOfNamespace) &&
		c.is(s.IPBlocks, s.NotIPBlocks, inBlock(c.direct)) &&
		c.is(s.RemoteBlocks, s.NotRemote, inBlock(c.remote)) &&
		finding{c.is(s.RequestPrincipals, s.NotReqPr, func(string) bool { return false }), unseen}.or(taken)
}

func (c question) operationHolds(o model.AuthzOperation, taken bool) bool {
	host, readable := c.host()
	seen := func(visible bool, values, others []string, holds func(string) bool) bool {
		unseen := !visible && len(values)+len(others) > 0
		return finding{c.is(values, others, holds), unseen}.or(taken)
	}
	return seen(true, o.Ports, o.NotPorts, c.isPort) &&
		seen(c.http && (readable || onlyAny(o.Hosts, o.NotHosts)), o.Hosts, o.NotHosts, func(v string) bool {
			v = strings.ToLower(v)
			return matchesForm(v, host) || matchesForm(v, strings.ToLower(c.authority))
		}) &&
		seen(c.http, o.Methods, o.NotMethods, func(v string) bool { return matchesForm(v, c.method) }) &&
		seen(c.http && (!c.climbs() || onlyAny(o.Paths, o.NotPaths)), o.Paths, o.NotPaths, c.hasPath)
}

// onlyAny says whether all that is asked for is that there be something.
func onlyAny(values ...[]string) bool {
	return !slices.ContainsFunc(slices.Concat(values...), func(v string) bool { return v != "*" })
}

// climbs says whether the path leads up for who decodes what is left to decode, or leaves out what follows a semicolon. Who
// knows what bytes are that are no text.
func (c question) climbs() bool {
	path, _, _ := strings.Cut(strings.ToLower(c.path), "?")
	if strings.ContainsFunc(path, func(r rune) bool { return r < '!' || r > '~' }) {
		return true
	}
	for before := ""; before != path; {
		before, path = path, strings.ReplaceAll(path, "%25", "%")
	}
	path = strings.NewReplacer("%2e", ".", "%2f", "/", "%5c", "/", `\`, "/", "%3b", ";").Replace(path)
	for i, part := range strings.Split(path, "/") {
		if part, _, _ = strings.Cut(part, ";"); i > 0 && part == ".." {
			return true
		}
	}
	return false
}

func (c question) conditionHolds(w model.AuthzCondition) finding {
	key, argument, _ := strings.Cut(strings.TrimSuffix(w.Key, "]"), "[")
	holds := map[string]func(string) bool{
		"source.principal": c.hasIdentity, "source.namespace": c.isOfNamespace, "source.ip": inBlock(c.direct), "remote.ip": inBlock(c.remote),
		"destination.ip": inBlock(c.at), "destination.port": c.isPort, "connection.sni": func(v string) bool { return matchesForm(v, c.sni) },
		"request.headers": func(v string) bool {
			values := c.headers[strings.ToLower(argument)]
			if argument == "Host" {
				values = []string{c.authority}
			}
			return slices.ContainsFunc(values, func(value string) bool { return matchesForm(v, value) })
		},
	}[key]
	return finding{c.is(w.Values, w.NotValues, holds), key == "request.headers" && !c.http}
}

// is holds if one value does, or none is given, and none of the others does.
func (c question) is(values, others []string, holds func(string) bool) bool {
	return (len(values) == 0 || slices.ContainsFunc(values, holds)) && !slices.ContainsFunc(others, holds)
}

func (c question) hasIdentity(v string) bool {
	identity, ok := strings.CutPrefix(c.identity, "spiffe://")
	return ok && matchesForm(v, identity)
}

// isOfNamespace reads the identity: spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT.
func (c question) isOfNamespace(v string) bool {
	parts := strings.Split(c.identity, "/")
	return len(parts) == 7 && parts[3] == "ns" && parts[5] == "sa" && matchesForm(v, parts[4])
}

func (c question) isPort(v string) bool { return v == strconv.Itoa(int(c.port)) }

func inBlock(ip netip.Addr) func(string) bool {
	return func(v string) bool {
		if block, err := netip.ParsePrefix(v); err == nil {
			return block.Contains(ip)
		}
		return netip.MustParseAddr(v) == ip
	}
}

// host is the authority without its port, as everybody who reads it would say it;
// some read another host from one that is written oddly.
func (c question) host() (host string, readable bool) {
	rest := strings.ToLower(c.authority)
	if address, after, ok := strings.Cut(rest, "]"); ok && strings.HasPrefix(rest, "[") {
		host, rest = address+"]", after
	} else if i := strings.IndexByte(rest, ':'); i >= 0 {
		host, rest = rest[:i], rest[i:]
	} else {
		host, rest = rest, ""
	}
	digits := strings.Trim(strings.TrimPrefix(rest, ":"), "0123456789") == "" && (rest == "" || rest[0] == ':')
	return host, digits && !strings.ContainsAny(strings.Trim(host, "[]"), "@[]")
}

// hasPath compares the path without its query; {*} is one element, {**} any number.
func (c question) hasPath(v string) bool {
	path, _, _ := strings.Cut(c.path, "?")
	if !strings.Contains(v, "{*") {
		return matchesForm(v, path)
	}
	pattern := strings.NewReplacer(`\{\*\*\}`, `.*`, `\{\*\}`, `[^/]+`).Replace(regexp.QuoteMeta(v))
	return compiledRegex(pattern).MatchString(path)
}

// matchesForm compares with a value that is exact, "prefix*", "*suffix" or "*": there.
func matchesForm(v, s string) bool {
	switch {
	case v == "*":
		return s != ""
	case strings.HasPrefix(v, "*"):
		return strings.HasSuffix(s, v[1:])
	case strings.HasSuffix(v, "*"):
		return strings.HasPrefix(s, v[:len(v)-1])
	}
	return v == s
}

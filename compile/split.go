package compile

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"weft.dev/model"
)

// target is a cluster that gets a share of a route's requests.
type target struct {
	cluster string
	host    string
	weight  uint32
	backend model.Backend
	traffic model.TrafficPolicy
}

// plain says whether nothing but the cluster is special about it.
func (t target) plain() bool {
	none := func(c model.HeaderChange) bool { return len(c.Set)+len(c.Add)+len(c.Remove) == 0 }
	return none(t.backend.RequestHeaders) && none(t.backend.ResponseHeaders)
}

func weightOf(all []target) (sum uint64) {
	for _, t := range all {
		sum += uint64(t.weight)
	}
	return sum
}

// wholeWeight is how many parts a weight of one is cut into, so that the
// percents of a split stay whole numbers.
const wholeWeight = 100

// targets are the clusters of the backends, those whose service is split by
// version replaced by the versions, and the weight of those that cannot be
// reached. A target has weight.
func (r *router) targets(backends []model.Backend) (all []target, broken uint64) {
	weights := fit(backends)
	for i, b := range backends {
		t, ok := r.target(b)
		if !ok {
			broken += weights[i] * wholeWeight
			continue
		}
		split := r.split(b.Host)
		if b.Subset != "" || split == nil || totalShare(split) == 0 {
			t.weight = uint32(weights[i] * wholeWeight)
			all = append(all, t)
			continue
		}
		r.from = append(r.from, keysOf(split.From)...)
		for _, v := range split.Versions {
			part := t
			part.cluster += "/" + versionSubset(r.policy(b.Host), v.Version)
			part.weight = uint32(weights[i] * wholeWeight * uint64(v.Weight) / totalShare(split))
			all = append(all, part)
		}
	}
	return slices.DeleteFunc(all, func(t target) bool { return t.weight == 0 }), broken
}

func totalShare(s *model.Split) (sum uint64) {
	for _, v := range s.Versions {
		sum += uint64(v.Weight)
	}
	return sum
}

// fit are the weights of the backends, scaled down where their sum, cut into
// parts, would not fit what Envoy counts in.
func fit(backends []model.Backend) []uint64 {
	var sum uint64
	for _, b := range backends {
		sum += uint64(b.Weight)
	}
	scale := sum/(math.MaxUint32/wholeWeight) + 1
	weights := make([]uint64, len(backends))
	for i, b := range backends {
		weights[i] = uint64(b.Weight) / scale
	}
	return weights
}

// target finds the cluster of a backend; its subset, if it names one, exists.
func (r *router) target(b model.Backend) (target, bool) {
	if b.Invalid != "" {
		return target{}, false // who wrote that has told the problem
	}
	s, ok := r.service(b.Host)
	if !ok {
		r.problem(b.Origin, model.ProblemMissingService, fmt.Sprintf("no service has the host %q; its share is answered with 500", b.Host))
		return target{}, false
	}
	policy := r.policy(b.Host)
	port, why := backendPort(s, policy, b.Port, r.port)
	if why != "" {
		r.problem(b.Origin, model.ProblemMissingPort, why+"; its share is answered with 500")
		return target{}, false
	}
	for _, d := range destinations(s, policy, r.split(b.Host)) {
		if d.Port.Number == port.Number && d.Subset == b.Subset {
			r.from = append(r.from, d.From...)
			return target{cluster: d.Key(), host: b.Host, backend: b, traffic: d.Traffic}, true
		}
	}
	r.problem(b.Origin, model.ProblemMissingSubset,
		fmt.Sprintf("no policy gives %s the subset %q (has %s); its share is answered with 500", b.Host, b.Subset, subsetNames(policy)))
	return target{}, false
}

func subsetNames(p model.Policy) string {
	if len(p.Subsets) == 0 {
		return "none"
	}
	names := make([]string, len(p.Subsets))
	for i, s := range p.Subsets {
		names[i] = s.Name
	}
	return strings.Join(names, ", ")
}

// backendPort is the port that a backend means: what it names, else the
// service's only one, else the one that the caller named.
func backendPort(s shape, policy model.Policy, named, called uint32) (port model.Port, why string) {
	http := slices.DeleteFunc(slices.Clone(s.Ports), func(p model.Port) bool { return !s.takesRequests(p, policy) })
	switch {
	case named != 0:
		p, ok := s.Port(named)
		if !ok {
			return p, fmt.Sprintf("service %s has no port %d (has %s)", s.Host, named, portNames(s.Ports))
		}
		if p.Protocol == model.TCP {
			return p, "" // nothing says what it speaks: who sends requests there does
		}
		called = named
	case len(http) == 1:
		return http[0], ""
	}
	p, ok := s.Port(called)
	switch {
	case !ok:
		return p, fmt.Sprintf("service %s has several ports (%s); name one", s.Host, portNames(s.Ports))
	case !s.takesRequests(p, policy):
		return p, fmt.Sprintf("port %d of service %s is %s, not HTTP", p.Number, s.Host, p.Protocol)
	}
	return p, ""
}

// takesRequests says whether a proxy can send single requests to the port: it is
// HTTP, or HTTPS and the proxy originates the TLS.
func (s shape) takesRequests(p model.Port, policy model.Policy) bool {
	return p.Protocol.IsHTTP() || p.Protocol == model.TLS && s.trafficTo(p, policy).TLS.Originates()
}

func portNames(ports []model.Port) string {
	names := make([]string, len(ports))
	for i, p := range ports {
		names[i] = strconv.Itoa(int(p.Number))
	}
	return strings.Join(names, ", ")
}

// privacy has a match hold only for requests that ask for a version of a split in private. After an
// error the match may be left as it was. Nil: nobody can.
type privacy func(m *routev3.RouteMatch, s *model.Split, version string) error

// privateRoutes lead a request to the version that it asks for, a
// version without weight included: that is how it is tried before it has any.
func (r *router) privateRoutes(base *routev3.Route, c candidate) []*routev3.Route {
	var all []*routev3.Route
	done := map[string]bool{}
	for _, b := range c.rule.Backends {
		split := r.split(b.Host)
		if split == nil || b.Subset != "" || done[b.Host] || r.private == nil {
			continue
		}
		done[b.Host] = true
		for _, v := range split.Versions {
			if route := r.privateRoute(base, c, split, v.Version); route != nil {
				all = append(all, route)
			}
		}
	}
	return all
}

// privateRoute is nil where the version has no address, or cannot be reached.
func (r *router) privateRoute(base *routev3.Route, c candidate, split *model.Split, version string) *routev3.Route {
	route := proto.Clone(base).(*routev3.Route)
	if err := r.private(route.Match, split, version); err != nil {
		r.problem(split.From[0], model.ProblemInvalid, err.Error())
		return nil
	}
	backends := pinned(c.rule.Backends, split.Host, versionSubset(r.policy(split.Host), version))
	targets, _ := r.targets(backends)
	if weightOf(targets) == 0 {
		return nil
	}
	route.Name += "@" + split.Service + "=" + version
	route.Metadata = r.metadata(c, split.From...)
	r.send(route, c, targets)
	return route
}

// pinned are the backends with those of a host fixed to one subset.
func pinned(backends []model.Backend, host, subset string) []model.Backend {
	out := slices.Clone(backends)
	for i := range out {
		if out[i].Host == host && out[i].Subset == "" {
			out[i].Subset = subset
		}
	}
	return out
}

// byHeader matches SERVICE=VERSION, or SERVICE.NAMESPACE=VERSION, in the comma list of the header. Where
// that is too long, only the first.
func byHeader(m *routev3.RouteMatch, s *model.Split, version string) error {
	pattern := inList(fullName(s), version)
	if checkRegex(pattern) != nil {
		pattern = inList(regexp.QuoteMeta(s.Service), version)
	}
	if err := checkRegex(pattern); err != nil {
		return fmt.Errorf("version %s of %s has no private address, its name is too long: %w", version, s.Service, err)
	}
	m.Headers = append(m.Headers, &routev3.HeaderMatcher{
		Name:                 model.VersionHeader,
		HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: regexMatcher(pattern)},
	})
	return nil
}

func inList(name, version string) string {
	return `([ -~]*,)? *` + name + regexp.QuoteMeta("="+version) + ` *(,[ -~]*)?`
}

func fullName(s *model.Split) string {
	name := regexp.QuoteMeta(s.Service)
	if _, namespace, ok := model.SplitHost(s.Host); ok {
		name += `(\.` + regexp.QuoteMeta(namespace) + `)?`
	}
	return name
}

// CheckAddress says why the mesh does not know a version by SERVICE.NAMESPACE=VERSION.
func CheckAddress(s model.Split, version string) error {
	if checkRegex(inList(fullName(&s), version)) != nil {
		return fmt.Errorf("version %s of %s: the names of service, namespace and version are too long together; give the version a shorter one", version, s.Service)
	}
	return nil
}

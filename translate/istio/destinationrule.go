package istio

import (
	"cmp"
	"math/big"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// DestinationRule gives one policy, or none where it is not usable.
func DestinationRule(o *object.Object, spec *networking.DestinationRule) []model.Policy {
	if !o.Audit(spec, honoured) {
		return nil
	}
	exportTo(o, object.Spec.Dot("exportTo"), spec.ExportTo)
	p := model.Policy{Object: o.Key, Host: o.Host(spec.Host), Rank: o.Rank, From: o.Whole()}
	if !o.CheckHost(object.Spec.Dot("host"), p.Host) {
		return nil
	}
	at := object.Spec.Dot("trafficPolicy")
	p.Traffic = traffic(o, at, spec.TrafficPolicy)
	for i, port := range spec.GetTrafficPolicy().GetPortLevelSettings() {
		place := at.Dot("portLevelSettings").At(i)
		number := port.GetPort().GetNumber()
		if !o.CheckPort(place.Dot("port").Dot("number"), number) {
			continue
		}
		if p.PortLevel == nil {
			p.PortLevel = map[uint32]model.TrafficPolicy{}
		}
		p.PortLevel[number] = traffic(o, place, port)
	}
	p.Subsets = subsets(o, spec.Subsets, p.Traffic)
	checkFailover(o, spec)
	return []model.Policy{p}
}

func subsets(o *object.Object, all []*networking.Subset, base model.TrafficPolicy) []model.Subset {
	var out []model.Subset
	seen := map[string]bool{}
	for i, s := range all {
		at := object.Spec.Dot("subsets").At(i)
		switch {
		case s.GetName() == "" || strings.Contains(s.GetName(), "/"):
			o.Invalid(at.Dot("name"), "%q is no name of a subset; write a word such as v1", s.GetName())
			continue
		case seen[s.Name]:
			o.Invalid(at.Dot("name"), "the subset %q is defined above; the first one is used", s.Name)
			continue
		}
		seen[s.Name] = true
		subset := model.Subset{Name: s.Name, Labels: s.Labels, Origin: o.Origin(at)}
		if s.TrafficPolicy != nil {
			place := at.Dot("trafficPolicy")
			policy := traffic(o, place, s.TrafficPolicy)
			subset.Traffic = &policy
			if policy.Balancer == model.LeastRequest && s.TrafficPolicy.LoadBalancer != nil && base.Balancer != model.LeastRequest {
				o.NotHonoured(place.Dot("loadBalancer"), "a subset cannot go back from %s to least requests; set the algorithm in the other subsets", base.Balancer)
			}
			if len(s.TrafficPolicy.PortLevelSettings) > 0 {
				o.NotHonoured(place.Dot("portLevelSettings"), "weft honours ports only in spec.trafficPolicy; move the settings there")
			}
		}
		out = append(out, subset)
	}
	return out
}

// settings are what a host, a subset and a port have.
type settings interface {
	GetLoadBalancer() *networking.LoadBalancerSettings
	GetConnectionPool() *networking.ConnectionPoolSettings
	GetOutlierDetection() *networking.OutlierDetection
	GetTls() *networking.ClientTLSSettings
}

func traffic(o *object.Object, at object.Path, s settings) (out model.TrafficPolicy) {
	if lb := s.GetLoadBalancer(); lb != nil {
		out.Balancer, out.Hash = balancer(o, at.Dot("loadBalancer"), lb)
		out.Warmup = warmup(o, at.Dot("loadBalancer"), lb)
		out.Local = localities(o, at.Dot("loadBalancer").Dot("localityLbSetting"), lb.GetLocalityLbSetting())
	}
	if s.GetConnectionPool() != nil {
		out.Pool = pool(o, at.Dot("connectionPool"), s.GetConnectionPool())
	}
	if s.GetOutlierDetection() != nil {
		out.Outlier = outlier(o, at.Dot("outlierDetection"), s.GetOutlierDetection())
	}
	if s.GetTls() != nil {
		out.TLS = clientTLS(o, at.Dot("tls"), s.GetTls())
	}
	if whole, ok := s.(*networking.TrafficPolicy); ok {
		if whole.GetRetryBudget() != nil {
			out.Budget = retryBudget(o, at.Dot("retryBudget"), whole.RetryBudget)
		}
		if whole.GetProxyProtocol() != nil {
			out.ProxyHeader = uint32(whole.ProxyProtocol.Version) + 1
		}
	}
	return out
}

// leastRetries at once are allowed by a budget that does not say how many; so are shares.
const (
	leastRetries = 3
	retryPercent = 20
)

func retryBudget(o *object.Object, at object.Path, b *networking.TrafficPolicy_RetryBudget) *model.RetryBudget {
	out := &model.RetryBudget{Percent: retryPercent, Least: cmp.Or(b.MinRetryConcurrency, leastRetries)}
	if b.Percent != nil {
		out.Percent = o.Percent(at.Dot("percent"), b.Percent.GetValue())
	}
	if b.BudgetInterval != nil {
		out.Interval = o.Duration(at.Dot("budgetInterval"), b.BudgetInterval)
	}
	return out
}

// warmup has two forms, of which the old one is a duration alone.
func warmup(o *object.Object, at object.Path, lb *networking.LoadBalancerSettings) (out model.Warmup) {
	if w := lb.GetWarmup(); w.GetDuration() != nil {
		out.For = o.Duration(at.Dot("warmup").Dot("duration"), w.Duration)
		out.Minimum = o.Percent(at.Dot("warmup").Dot("minimumPercent"), w.GetMinimumPercent().GetValue())
		if out.Aggression = w.GetAggression().GetValue(); w.Aggression != nil && out.Aggression < 1 {
			o.Invalid(at.Dot("warmup").Dot("aggression"), "%g is less than 1, which is even growth; write 1 or more", out.Aggression)
			out.Aggression = 0
		}
	} else if lb.GetWarmupDurationSecs() != nil { //nolint:staticcheck // old objects have it
		out.For = o.Duration(at.Dot("warmupDurationSecs"), lb.WarmupDurationSecs) //nolint:staticcheck
	}
	return out
}

func balancer(o *object.Object, at object.Path, lb *networking.LoadBalancerSettings) (model.Balancer, *model.HashKey) {
	if hash := lb.GetConsistentHash(); hash != nil {
		return consistentHash(o, at.Dot("consistentHash"), hash)
	}
	switch lb.GetSimple() {
	case networking.LoadBalancerSettings_RANDOM:
		return model.Random, nil
	case networking.LoadBalancerSettings_ROUND_ROBIN:
		return model.RoundRobin, nil
	case networking.LoadBalancerSettings_PASSTHROUGH:
		o.NotHonoured(at.Dot("simple"), "weft chooses the endpoint by least requests instead of PASSTHROUGH; name another algorithm")
	}
	return model.LeastRequest, nil
}

func consistentHash(o *object.Object, at object.Path, hash *networking.LoadBalancerSettings_ConsistentHashLB) (model.Balancer, *model.HashKey) {
	algorithm := model.RingHash
	if hash.GetMaglev() != nil {
		algorithm = model.Maglev
	}
	key := &model.HashKey{
		Header: hash.GetHttpHeaderName(), Query: hash.GetHttpQueryParameterName(),
		Cookie: hash.GetHttpCookie().GetName(), SourceIP: hash.GetUseSourceIp(),
	}
	if ttl := hash.GetHttpCookie().GetTtl(); ttl != nil {
		key.CookieTTL = o.Duration(at.Dot("httpCookie").Dot("ttl"), ttl)
	}
	if key.Header != "" && !o.CheckHeaderName(at.Dot("httpHeaderName"), key.Header) {
		return model.LeastRequest, nil
	}
	if *key == (model.HashKey{}) {
		o.Invalid(at, "says not what to hash; set httpHeaderName, httpCookie, httpQueryParameterName or useSourceIp")
		return model.LeastRequest, nil
	}
	key.CookiePath, key.Size = hash.GetHttpCookie().GetPath(), tableSize(o, at, hash)
	return algorithm, key
}

// Sizes that Envoy takes.
const (
	maxRing  = 8 << 20
	maxTable = 5000011
)

// tableSize is that of the ring, or of Maglev's table, which must be a prime.
func tableSize(o *object.Object, at object.Path, hash *networking.LoadBalancerSettings_ConsistentHashLB) uint64 {
	if m := hash.GetMaglev(); m != nil {
		size := m.GetTableSize()
		if size != 0 && (size > maxTable || !new(big.Int).SetUint64(size).ProbablyPrime(0)) {
			o.Invalid(at.Dot("maglev").Dot("tableSize"), "%d is no prime up to %d, so the size stays 65537", size, maxTable)
			return 0
		}
		return size
	}
	size := cmp.Or(hash.GetRingHash().GetMinimumRingSize(), hash.GetMinimumRingSize()) //nolint:staticcheck // old objects have it
	if size > maxRing {
		o.Invalid(at.Dot("ringHash").Dot("minimumRingSize"), "%d is more than %d, so the size stays 1024", size, maxRing)
		return 0
	}
	return size
}

func pool(o *object.Object, at object.Path, p *networking.ConnectionPoolSettings) model.Pool {
	tcp, http := p.GetTcp(), p.GetHttp()
	inTCP, inHTTP := at.Dot("tcp"), at.Dot("http")
	out := model.Pool{
		MaxConnections:   o.Count(inTCP.Dot("maxConnections"), tcp.GetMaxConnections()),
		MaxPending:       o.Count(inHTTP.Dot("http1MaxPendingRequests"), http.GetHttp1MaxPendingRequests()),
		MaxRequests:      o.Count(inHTTP.Dot("http2MaxRequests"), http.GetHttp2MaxRequests()),
		MaxRetries:       o.Count(inHTTP.Dot("maxRetries"), http.GetMaxRetries()),
		MaxPerConnection: o.Count(inHTTP.Dot("maxRequestsPerConnection"), http.GetMaxRequestsPerConnection()),
		MaxStreams:       o.Count(inHTTP.Dot("maxConcurrentStreams"), http.GetMaxConcurrentStreams()),
	}
	if tcp.GetMaxConnectionDuration() != nil {
		out.MaxAge = o.Duration(inTCP.Dot("maxConnectionDuration"), tcp.MaxConnectionDuration)
	}
	if k := tcp.GetTcpKeepalive(); k != nil {
		out.Keepalive = model.Keepalive{Sent: true, Probes: k.Probes}
		if k.Time != nil {
			out.Keepalive.Idle = o.Duration(inTCP.Dot("tcpKeepalive").Dot("time"), k.Time)
		}
		if k.Interval != nil {
			out.Keepalive.Interval = o.Duration(inTCP.Dot("tcpKeepalive").Dot("interval"), k.Interval)
		}
	}
	if ping := http.GetHttp2KeepAlive(); ping.GetInterval() != nil && ping.GetTimeout() != nil {
		out.PingEvery = o.Duration(inHTTP.Dot("http2KeepAlive").Dot("interval"), ping.GetInterval())
		out.PingTimeout = o.Duration(inHTTP.Dot("http2KeepAlive").Dot("timeout"), ping.GetTimeout())
	}
	if tcp.GetConnectTimeout() != nil {
		out.ConnectTimeout = o.Duration(inTCP.Dot("connectTimeout"), tcp.ConnectTimeout)
	}
	if tcp.GetIdleTimeout() != nil {
		out.IdleTimeout = o.Duration(inTCP.Dot("idleTimeout"), tcp.IdleTimeout)
	}
	if http.GetIdleTimeout() != nil {
		out.IdleTimeout = o.Duration(inHTTP.Dot("idleTimeout"), http.IdleTimeout)
	}
	return out
}

func outlier(o *object.Object, at object.Path, d *networking.OutlierDetection) *model.Outlier {
	out := &model.Outlier{
		Consecutive5xx:     d.GetConsecutive_5XxErrors().GetValue(),
		ConsecutiveGateway: d.GetConsecutiveGatewayErrors().GetValue(),
		MaxEjectionPercent: uint32(o.Percent(at.Dot("maxEjectionPercent"), float64(d.GetMaxEjectionPercent()))),
		MinHealthPercent:   uint32(o.Percent(at.Dot("minHealthPercent"), float64(d.GetMinHealthPercent()))),
	}
	if d.ConsecutiveGatewayErrors == nil {
		out.ConsecutiveGateway = o.Count(at.Dot("consecutiveErrors"), d.GetConsecutiveErrors()) //nolint:staticcheck // old objects have it
	}
	if d.SplitExternalLocalOriginErrors {
		out.ConsecutiveConnect = d.GetConsecutiveLocalOriginFailures().GetValue()
	} else if d.ConsecutiveLocalOriginFailures != nil {
		o.NotHonoured(at.Dot("consecutiveLocalOriginFailures"), "it counts only with splitExternalLocalOriginErrors; set that to true")
	}
	if d.Consecutive_5XxErrors != nil && out.Consecutive5xx == 0 {
		o.NotHonoured(at.Dot("consecutive5xxErrors"), "0 does not switch the check off, 5 in a row eject an endpoint; write a higher number")
	}
	if d.Interval != nil {
		out.Interval = o.Duration(at.Dot("interval"), d.Interval)
	}
	if d.BaseEjectionTime != nil {
		out.BaseEjection = o.Duration(at.Dot("baseEjectionTime"), d.BaseEjectionTime)
	}
	return out
}

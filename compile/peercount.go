package compile

import (
	"strconv"
	"time"

	cncfmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	datav3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	statsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stats/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	tcpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/tcp_proxy/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/model"
)

const (
	// maxPeerCounters bounds what a proxy spends on telling callers without a certificate apart. Of those
	// beyond it is known by port alone that there were any.
	maxPeerCounters = 1024
	maxPortCounters = 256
	// longCall is how often a call that lasts is counted: who holds one connection for a day would be silent else.
	longCall = time.Minute

	plainChain = "plain" // begins the name of a chain that lets plain text in

	callerAddress = "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%"
	calledPort    = "%DOWNSTREAM_LOCAL_PORT%" // of the application, where its traffic is redirected
)

// plainManager counts who calls without a certificate, by port and by caller, at the beginning of each request.
func plainManager(m *hcmv3.HttpConnectionManager, port uint32) *hcmv3.HttpConnectionManager {
	for _, log := range m.AccessLog { // of those that are there each tells of the end
		log.Filter = bothOf(log.Filter, whenEnded(datav3.AccessLogType_DownstreamStart, datav3.AccessLogType_DownstreamPeriodic))
	}
	began := whenBegun(datav3.AccessLogType_DownstreamStart, datav3.AccessLogType_DownstreamPeriodic)
	m.AccessLog = append(m.AccessLog, peerCounts(model.PeerPlain, strconv.Itoa(int(port)), began, nil)...)
	m.AccessLogOptions = &hcmv3.HttpConnectionManager_HcmAccessLogOptions{
		FlushAccessLogOnNewRequest: true, AccessLogFlushInterval: durationpb.New(longCall),
	}
	return m
}

// plainConnections is the same for what is not HTTP: each connection counts.
func plainConnections(t *tcpv3.TcpProxy, port string) *tcpv3.TcpProxy {
	t.AccessLog = peerCounts(model.PeerPlain, port, whenBegun(datav3.AccessLogType_TcpConnectionStart, datav3.AccessLogType_TcpPeriodic), nil)
	t.AccessLogOptions = &tcpv3.TcpProxy_TcpAccessLogOptions{FlushAccessLogOnStart: true, AccessLogFlushInterval: durationpb.New(longCall)}
	return t
}

// refusedCalls counts connections that a listener did not take: it has no chain for who shows no certificate, or
// the certificate was not good.
func refusedCalls(port string) []*accesslogv3.AccessLog {
	contains := func(part string) *cncfmatcherv3.StringMatcher {
		return &cncfmatcherv3.StringMatcher{MatchPattern: &cncfmatcherv3.StringMatcher_Contains{Contains: part}}
	}
	// The inspector calls plain text a failed handshake, also where a chain for it follows: that chain tells them apart.
	end := &statsv3.Config_Tag{
		Name: model.PeerStatEnd, ValueFormat: "%FILTER_CHAIN_NAME%%RESPONSE_CODE_DETAILS%%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
		Rules: &cncfmatcherv3.Matcher{
			MatcherType: tagRules(
				tagRule(prefixed(plainChain), drop()),
				tagRule(prefixed(inboundStrays), drop()),
				tagRule(contains("filter_chain_not_found"), become(model.PeerRefused)),
				tagRule(contains("TLS_error"), become(model.PeerRefused)),
			),
			OnNoMatch: transform(drop()),
		},
	}
	return peerCounts(model.PeerRefused, port, nil, []*statsv3.Config_Tag{end})
}

// peerCounts are two counters: one by port, which misses nobody, and one by caller. tags stand before them.
func peerCounts(kind, port string, filter *accesslogv3.AccessLogFilter, tags []*statsv3.Config_Tag) []*accesslogv3.AccessLog {
	byPort := append(tags[:len(tags):len(tags)], &statsv3.Config_Tag{Name: model.PeerStatPort, ValueFormat: port})
	byPeer := append(byPort[:len(byPort):len(byPort)], &statsv3.Config_Tag{Name: model.PeerStatPeer, ValueFormat: callerAddress})
	return []*accesslogv3.AccessLog{
		callCounter(model.PeerStatScope(kind, false), maxPortCounters, filter, byPort),
		callCounter(model.PeerStatScope(kind, true), maxPeerCounters, filter, byPeer),
	}
}

func callCounter(scope string, most uint32, filter *accesslogv3.AccessLogFilter, tags []*statsv3.Config_Tag) *accesslogv3.AccessLog {
	return &accesslogv3.AccessLog{
		Name: "envoy.access_loggers.stats", Filter: filter,
		ConfigType: &accesslogv3.AccessLog_TypedConfig{TypedConfig: pack(&statsv3.Config{
			StatsScope: &typev3.Scope{Prefix: scope, MaxCounters: u32(most)},
			Counters:   []*statsv3.Config_Counter{{ValueFixed: wrapperspb.UInt64(1), Stat: &statsv3.Config_Stat{Name: model.PeerStatName, Tags: tags}}},
		})},
	}
}

func whenBegun(types ...datav3.AccessLogType) *accesslogv3.AccessLogFilter {
	return ofType(false, types)
}
func whenEnded(not ...datav3.AccessLogType) *accesslogv3.AccessLogFilter { return ofType(true, not) }

func ofType(exclude bool, types []datav3.AccessLogType) *accesslogv3.AccessLogFilter {
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_LogTypeFilter{
		LogTypeFilter: &accesslogv3.LogTypeFilter{Types: types, Exclude: exclude},
	}}
}

func bothOf(a, b *accesslogv3.AccessLogFilter) *accesslogv3.AccessLogFilter {
	if a == nil {
		return b
	}
	return &accesslogv3.AccessLogFilter{FilterSpecifier: &accesslogv3.AccessLogFilter_AndFilter{
		AndFilter: &accesslogv3.AndFilter{Filters: []*accesslogv3.AccessLogFilter{a, b}},
	}}
}

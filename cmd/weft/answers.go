package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"weft.dev/api"
	"weft.dev/explain"
	"weft.dev/identity"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/mtls"
	"weft.dev/tap"
	"weft.dev/web"
)

// web are the answers to people's questions.
func (m *mesh) web(meshAddress string) web.Mesh {
	return web.Mesh{
		Serving:   m.serving,
		Status:    func() web.Status { return m.status(meshAddress) },
		Edges:     func(window time.Duration) []metrics.Edge { return m.seen.Recent(window, time.Now()) },
		Calls:     m.seen.Calls,
		Past:      &m.past,
		Plain:     m.compiled.Plain,
		Problems:  m.problems.All,
		Noted:     m.noted,
		Log:       logged.String,
		Workloads: func() []model.Workload { return model.Workloads(m.rows.Replicas.All()) },
		Replicas:  m.replicas.All,
		Services:  m.rows.Services.All,
		Splits:    m.rows.Splits.All,
		Routes:    m.rows.Routes.All,
		Policies:  m.policies,
		Proxies:   m.proxies.All,
		Behind:    m.behind,
		Revision:  m.sessions.Revision,
		Sent:      m.sent,
		Explain:   m.explain,
		RoutesOf:  m.routesOf,
		Tap:       m.tap,
		Request:   func(id string) []tap.Record { return m.taps.Request(id, time.Now()) },
		Scope:     m.scope,
		MTLS:      m.mtls,
		Token:     func(r web.TokenRequest) (web.TokenReply, error) { return m.token(r, meshAddress) },
		Preview:   m.preview,

		RevokePreviews: m.revokePreviews,

		Traces: m.traces,
		Me:     m.may.me,

		SwitchStats: m.switchStats,
		FullStats:   func() []web.FullStats { return m.full.all(time.Now()) },

		Releases:        m.lists.releases.all,
		ReleasesChanged: m.lists.releases.changed,
		Release:         m.lists.releases.whole,
		Pipelines:       m.lists.pipelines.all,
		Pipeline:        m.lists.pipelines.whole,
		Runs:            m.lists.runs.all,
		Run:             m.lists.runs.whole,
		Definition:      m.lists.definition,
		Freezes:         m.lists.freezes.all,
		NotStart:        m.may.notStart,
		NotDecide:       m.may.notDecide,
	}
}

// mtls is who calls in plain text, and who can do without.
func (m *mesh) mtls(quiet time.Duration, idle bool) mtls.Plan {
	now, current, behind := time.Now(), map[string]bool{}, m.behind()
	for _, p := range m.proxies.All() {
		current[p.ID] = p.Connected && len(p.Refusals) == 0 && !slices.Contains(behind, p.ID)
	}
	return mtls.New(mtls.Facts{
		Now: now, Quiet: quiet, Idle: idle,
		Services: m.rows.Services.All(), Replicas: m.replicas.All(), PeerAuths: m.rows.PeerAuths.All(),
		Mode: m.compiled.Mode, Told: m.compiled.ToldPlain,
		Used: m.seen.Used(), Strangers: m.strangers.All(),
		Watched: func(workload string) (time.Time, bool) { return m.strangers.Watched(workload, now) },
		Current: func(workload string) bool { return current[workload] },
	})
}

func (m *mesh) status(meshAddress string) web.Status {
	revision := m.graph.Revision()
	current, total, _ := m.sessions.Applied(uint64(revision))
	workloads, healthy := m.instances()
	commit := ""
	if m.front.commit != nil {
		commit = m.front.commit()
	}
	return web.Status{
		Commit:  commit,
		Version: version(), Revision: uint64(revision), Proxies: total, Current: current,
		Workloads: workloads, Healthy: healthy, Problems: m.problems.Len(), MeshPort: meshAddress,
	}
}

// instances are all workloads of the mesh, and the healthy ones among them.
func (m *mesh) instances() (all, healthy int) {
	for _, r := range m.rows.Replicas.All() {
		all += len(r.Instances)
		for _, i := range r.Instances {
			if i.Health == model.Healthy {
				healthy++
			}
		}
	}
	return all, healthy
}

func (m *mesh) behind() []string {
	_, _, laggards := m.sessions.Applied(uint64(m.graph.Revision()))
	return laggards
}

// maxTokenTTL bounds how long a token may lie around.
const maxTokenTTL = 24 * time.Hour

func (m *mesh) token(request web.TokenRequest, meshAddress string) (web.TokenReply, error) {
	ttl := identity.TokenTTL
	if request.TTL != "" {
		var err error
		if ttl, err = time.ParseDuration(request.TTL); err != nil || ttl <= 0 || ttl > maxTokenTTL {
			return web.TokenReply{}, web.Invalid("ttl %q: want a duration of at most %s, e.g. 10m", request.TTL, maxTokenTTL)
		}
	}
	namespaces := request.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{"default"}
	}
	if err := m.front.namespaces(namespaces); err != nil {
		return web.TokenReply{}, err
	}
	expires := time.Now().Add(ttl)
	token, err := m.authority.Tokens.Create(identity.Grant{Namespaces: namespaces}, ttl, m.authority.CA.Fingerprint())
	return web.TokenReply{Token: token, Server: meshAddress, Expires: expires}, err
}

// explain says where a request of a proxy goes. The proxy is named by its id, or
// by an application, with or without its namespace, which stands for one of its workloads.
func (m *mesh) explain(name string, request explain.Request) (explain.Trace, error) {
	named := m.meant(name)
	if len(named) == 0 {
		return explain.Trace{}, m.noProxy(name)
	}
	trace, err := explain.Explain(m.compiled, named[0], request)
	if err != nil {
		return explain.Trace{}, web.Invalid("%w", err) // that proxy takes no such request
	}
	m.locateAll(&trace)
	return trace, nil
}

// routesOf are those of a proxy, which is named as for explain.
func (m *mesh) routesOf(name string) (explain.Table, error) {
	named := m.meant(name)
	if len(named) == 0 {
		return explain.Table{}, m.noProxy(name)
	}
	table, err := explain.Routes(m.compiled, named[0])
	for _, route := range table.Routes {
		m.locate(route.From)
	}
	return table, err
}

// meant are the workloads that a name stands for: one by its id, or all of an application, with or without its namespace.
func (m *mesh) meant(name string) []model.Workload {
	if one, ok := m.workload(name); ok {
		return []model.Workload{one}
	}
	return slices.DeleteFunc(m.workloads(), func(w model.Workload) bool {
		return !slices.Contains([]string{w.App, w.Gateway, w.Namespace + "/" + w.App, w.Namespace + "/" + w.Gateway}, name)
	})
}

func (m *mesh) noProxy(name string) error {
	return fmt.Errorf("proxy %q: %w; the mesh has %s", name, web.ErrNotFound, workloadNames(m.workloads()))
}

// locateAll adds file and line to the causes that a proxy's resources know by
// name only.
func (m *mesh) locateAll(trace *explain.Trace) {
	for _, part := range append([]explain.Part{trace.Listener, trace.Host, trace.Route}, trace.Policies...) {
		m.locate(part.From)
	}
	for _, miss := range trace.Misses {
		m.locate(miss.From)
	}
	for _, answer := range trace.Answers {
		m.locate(answer.From)
	}
	for _, target := range trace.Targets {
		m.locate(target.From)
		for _, endpoint := range target.Endpoints {
			if endpoint.Guard != nil {
				m.locate(endpoint.Guard.From)
			}
		}
	}
}

// noted is what the object of a problem says of it.
func (m *mesh) noted(p model.Problem) web.Noted {
	o, _ := m.objects.Get(p.Object.Kind + "/" + p.Object.Namespace + "/" + p.Object.Name)
	return noted(o, p)
}

// locate completes "Kind namespace/name" with where the object was written down.
func (m *mesh) locate(causes []string) {
	for i, cause := range causes {
		words := strings.Fields(cause)
		if len(words) < 2 || strings.HasSuffix(cause, ")") {
			continue
		}
		written, _ := m.objects.Get(words[0] + "/" + words[1])
		if source := written.Annotations[api.SourceAnnotation]; source != "" {
			causes[i] += " (" + source + ")"
		}
	}
}

const maxNames = 10

func workloadNames(all []model.Workload) string {
	var names []string
	for _, w := range all[:min(len(all), maxNames)] {
		names = append(names, w.Key())
	}
	if len(names) == 0 {
		return "no workloads"
	}
	return strings.Join(names, ", ")
}

// sent counts what a proxy was sent, by Envoy's word for the type.
func (m *mesh) sent(proxy string) map[string]int {
	sent := map[string]int{}
	for kind, count := range m.sessions.Sent(proxy) {
		if count > 0 {
			sent[kind.String()] = count
		}
	}
	return sent
}

// policies are the rows of which follows on what terms services are called.
func (m *mesh) policies() web.Policies {
	return web.Policies{
		Policies: m.rows.Policies.All(), Limits: m.rows.Limits.All(), Concurrencies: m.rows.Concurrencies.All(), RateLimits: m.rows.RateLimits.All(),
		Authorizations: m.rows.Authorizations.All(), Mode: m.compiled.Mode,
	}
}

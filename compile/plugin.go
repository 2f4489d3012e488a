package compile

import (
	"cmp"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	luav3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	rbachttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	httpwasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	wasmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"weft.dev/flow"
	"weft.dev/model"
)

const (
	// wasmMachine is the virtual machine that Envoy's own builds have.
	wasmMachine  = "envoy.wasm.runtime.v8"
	pluginPrefix = ownFilters + "plugin."
)

// passing is a filter that lets each request pass: it has no rules.
var passing = &rbachttpv3.RBAC{}

// pluginsOf are the keys of the plugins that are about a workload, in the order in which they get a request.
func (s selectors) pluginsOf(w model.Workload) (keys []string) {
	var all []model.Plugin
	for _, p := range s.plugins {
		if s.reached(p.Reach, w) {
			all = append(all, p)
		}
	}
	slices.SortFunc(all, func(a, b model.Plugin) int {
		return cmp.Or(cmp.Compare(a.Phase, b.Phase), cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Rank, b.Rank), a.Object.Compare(b.Object))
	})
	for _, p := range all {
		keys = append(keys, p.Key())
	}
	return keys
}

// plugged is a resource with what plugins put into it.
func (c *compiler) plugged(r *model.Resource, all []model.Plugin) *model.Resource {
	at := sideOf(r, false)
	if r.Type != model.TypeListener || at == model.PatchAnywhere || len(all) == 0 {
		return r
	}
	l := &listenerv3.Listener{}
	if err := proto.Unmarshal(r.Body, l); err != nil {
		panic("compile: listener " + r.Name + ": " + err.Error())
	}
	from := plugin(l, at, all)
	return c.intern.resource(model.TypeListener, r.Name, l, r.Needs, slices.Concat(r.From, from)...)
}

// plugin puts into a listener the filters of those plugins that are about its requests, and says which these are.
func plugin(l *listenerv3.Listener, at model.PatchAt, all []model.Plugin) (from []model.Key) {
	for _, p := range all {
		put := false
		for _, chain := range append(slices.Clone(l.FilterChains), l.DefaultFilterChain) {
			put = chain != nil && isAbout(l, chain, at, p) && pluginInto(chain, p) || put
		}
		if put {
			from = append(from, p.Object)
		}
	}
	return from
}

// isAbout says whether a plugin is about the requests of a chain. Calls of a workload to all ports leave by one listener.
func isAbout(l *listenerv3.Listener, chain *listenerv3.FilterChain, at model.PatchAt, p model.Plugin) bool {
	return len(p.On) == 0 || slices.ContainsFunc(p.On, func(on model.PluginOn) bool {
		side := on.Calls && at == model.PatchOutbound || on.Served && at == model.PatchInbound || at == model.PatchGateway
		return side && (len(on.Ports) == 0 || slices.ContainsFunc(on.Ports, func(port uint32) bool {
			return at != model.PatchOutbound && isOfPort(l.Name, chain.GetFilterChainMatch(), port)
		}))
	})
}

// pluginInto puts a filter into the managers of a chain; false: there is none.
func pluginInto(chain *listenerv3.FilterChain, p model.Plugin) (put bool) {
	for _, f := range chain.Filters {
		if f.Name != hcmFilter {
			continue
		}
		m, err := managerOf(f)
		if err != nil {
			panic("compile: listener: " + err.Error())
		}
		m.HttpFilters = slices.Insert(m.HttpFilters, pluginPlace(m.HttpFilters, p.Phase), pluginFilter(p))
		f.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: pack(m)}
		put = true
	}
	return put
}

// pluginPlace is before which filter a plugin stands. All that come earlier are there already.
func pluginPlace(filters []*hcmv3.HttpFilter, phase model.PluginPhase) int {
	guards := []string{AskFilter, AuditFilter, DenyFilter}
	switch phase {
	case model.PluginAuthn:
		guards = append(guards, TokenFilter)
	case model.PluginAuthz:
	default:
		return len(filters) - 1 // the router is the last
	}
	for _, before := range [][]string{guards, {FaultFilter}} { // on the way out nobody guards
		if i := slices.IndexFunc(filters, func(f *hcmv3.HttpFilter) bool {
			return slices.ContainsFunc(before, func(prefix string) bool { return strings.HasPrefix(f.Name, prefix) })
		}); i >= 0 {
			return i
		}
	}
	return len(filters) - 1
}

// pluginName is that of a filter, and of the resource that says what it is. No EnvoyFilter takes out what has such a name.
func pluginName(p model.Plugin) string {
	return pluginPrefix + strings.ToLower(p.Object.Kind) + "." + p.Object.Namespace + "." + p.Object.Name
}

// pluginFilter is told by a resource of its own what it does, so that new code ends no connection. Envoy waits for that before
// it takes requests there, for 15 s; where it was told nothing by then, no request passes, or each does.
func pluginFilter(p model.Plugin) *hcmv3.HttpFilter {
	f := discovered(pluginName(p), pluginType(p))
	if p.Open() {
		source := f.GetConfigDiscovery()
		pass := pack(passing)
		source.DefaultConfig = pass
		source.TypeUrls = append(source.TypeUrls, pass.TypeUrl)
	}
	return f
}

func pluginType(p model.Plugin) proto.Message {
	if p.Wasm == nil {
		return &luav3.Lua{}
	}
	return &httpwasmv3.Wasm{}
}

// pluginConfigs are what the filters of a scope's plugins are told. Of code that is not there is none: who has some keeps it.
func (c *compiler) pluginConfigs(x *flow.Ctx, s scope) (all []*model.Resource) {
	for _, p := range allFound(x, c.Plugins, s.Plugins) {
		if config := c.pluginConfig(x, p); config != nil {
			all = append(all, c.extension(pluginName(p), config, nil, p.Object))
		}
	}
	return all
}

func (c *compiler) pluginConfig(x *flow.Ctx, p model.Plugin) proto.Message {
	if p.Wasm == nil {
		return &luav3.Lua{DefaultSourceCode: inline(p.Lua)}
	}
	code := &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: p.Wasm.File}}
	if p.Wasm.File == "" {
		module, _ := flow.Get(x, c.Modules, p.Source().Key())
		if module.Code == "" {
			return nil
		}
		code.Specifier = &corev3.DataSource_InlineBytes{InlineBytes: []byte(module.Code)}
	}
	return &httpwasmv3.Wasm{Config: wasmConfig(p, code)}
}

var pluginFailures = map[model.PluginFail]wasmv3.FailurePolicy{
	model.PluginClosed: wasmv3.FailurePolicy_FAIL_CLOSED, model.PluginOpen: wasmv3.FailurePolicy_FAIL_OPEN, model.PluginReload: wasmv3.FailurePolicy_FAIL_RELOAD,
}

func wasmConfig(p model.Plugin, code *corev3.DataSource) *wasmv3.PluginConfig {
	w := p.Wasm
	config := &wasmv3.PluginConfig{
		Name: cmp.Or(w.Name, p.Object.Name), RootId: w.Name, FailurePolicy: pluginFailures[w.Fail],
		Vm: &wasmv3.PluginConfig_VmConfig{VmConfig: &wasmv3.VmConfig{
			Runtime: wasmMachine, Code: &corev3.AsyncDataSource{Specifier: &corev3.AsyncDataSource_Local{Local: code}},
		}},
	}
	if w.Config != "" {
		config.Configuration = pack(wrapperspb.String(w.Config))
	}
	if len(w.Env)+len(w.Host) > 0 {
		config.GetVmConfig().EnvironmentVariables = &wasmv3.EnvironmentVariables{HostEnvKeys: w.Host, KeyValues: w.Env}
	}
	return config
}

// pluginReports say which code could not be had.
func (c *compiler) pluginReports(x *flow.Ctx, p model.Plugin) []report {
	module, _ := flow.Get(x, c.Modules, p.Source().Key())
	if module.Trouble == "" {
		return nil
	}
	problem := model.Problem{Object: p.Object, Code: model.ProblemStale, Message: module.Trouble + "; the code from before is in effect"}
	if module.Code == "" {
		effect := "every request is refused"
		if p.Open() {
			effect = "requests pass without it"
		}
		problem.Code, problem.Message = model.ProblemMissingModule, module.Trouble+"; until there is code, "+effect+" where none is from before"
	}
	return reportOf(p.Key(), []model.Problem{problem})
}

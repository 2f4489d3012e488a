package istio

import (
	"encoding/json"
	"net/url"
	"path"
	"regexp"
	"strings"

	extensions "istio.io/api/extensions/v1alpha1"
	typev1beta1 "istio.io/api/type/v1beta1"

	"weft.dev/model"
	"weft.dev/translate/object"
)

// Limits of a plugin.
const (
	maxSelectors = 50
	maxVariables = 256
)

// WasmPlugin gives one row: code that proxies run on requests.
func WasmPlugin(o *object.Object, spec *extensions.WasmPlugin) []model.Plugin {
	p, meant := plugin(o, spec.Selector, spec.TargetRef, spec.TargetRefs)
	if !meant || !o.Audit(spec, honoured) {
		return nil
	}
	p.Phase, p.Priority = phases[int32(spec.Phase)], spec.Priority.GetValue()
	if p.On, meant = pluginOn(o, spec.Match); !meant {
		return nil
	}
	if p.Wasm, meant = module(o, object.Spec, spec); !meant {
		return nil
	}
	return []model.Plugin{p}
}

// TrafficExtension gives one row, of a module or of a script.
func TrafficExtension(o *object.Object, spec *extensions.TrafficExtension) []model.Plugin {
	p, meant := plugin(o, spec.Selector, nil, spec.TargetRefs)
	if !meant || !o.Audit(spec, honoured) {
		return nil
	}
	p.Phase, p.Priority = phases[int32(spec.Phase)], spec.Priority.GetValue()
	if p.On, meant = pluginOn(o, spec.Match); !meant {
		return nil
	}
	switch in := spec.FilterConfig.(type) {
	case *extensions.TrafficExtension_Wasm:
		if p.Wasm, meant = module(o, object.Spec.Dot("wasm"), configured(in.Wasm)); !meant {
			return nil
		}
	case *extensions.TrafficExtension_Lua:
		at := object.Spec.Dot("lua.inlineCode")
		if p.Lua = in.Lua.GetInlineCode(); len(p.Lua) == 0 || len(p.Lua) > object.MaxBody {
			o.Invalid(at, "has %d bytes, so nothing is run; write a script of at most %d", len(p.Lua), object.MaxBody)
			return nil
		}
	default:
		o.Invalid(object.Spec, "has neither wasm nor lua, so nothing is run; write one of them")
		return nil
	}
	return []model.Plugin{p}
}

func plugin(o *object.Object, s *typev1beta1.WorkloadSelector, one *typev1beta1.PolicyTargetReference, several []*typev1beta1.PolicyTargetReference) (model.Plugin, bool) {
	p := model.Plugin{Object: o.Key, Rank: o.Rank, From: o.Whole()}
	var meant bool
	p.Reach, meant = policyReach(o, s.GetMatchLabels(), one, several)
	return p, meant
}

// phases of both kinds have the same numbers.
var phases = map[int32]model.PluginPhase{
	int32(extensions.PluginPhase_UNSPECIFIED_PHASE): model.PluginLast, int32(extensions.PluginPhase_AUTHN): model.PluginAuthn,
	int32(extensions.PluginPhase_AUTHZ): model.PluginAuthz, int32(extensions.PluginPhase_STATS): model.PluginStats,
}

// selector is an entry of match, of either kind.
type selector interface {
	GetMode() typev1beta1.WorkloadMode
	GetPorts() []*typev1beta1.PortSelector
}

func pluginOn[S selector](o *object.Object, selectors []S) (on []model.PluginOn, ok bool) {
	at := object.Spec.Dot("match")
	if len(selectors) > maxSelectors {
		o.Invalid(at, "has %d entries, more than %d, so nothing is run; write several objects", len(selectors), maxSelectors)
		return nil, false
	}
	for i, in := range selectors {
		one := model.PluginOn{Calls: in.GetMode() != typev1beta1.WorkloadMode_SERVER, Served: in.GetMode() != typev1beta1.WorkloadMode_CLIENT}
		for j, port := range in.GetPorts() {
			if !o.CheckPort(at.At(i).Dot("ports").At(j).Dot("number"), port.GetNumber()) {
				return nil, false
			}
			one.Ports = append(one.Ports, port.Number)
		}
		if len(one.Ports) > 0 && !one.Served {
			o.NotHonoured(at.At(i).Dot("ports"), "what a workload calls leaves by one listener, whatever its port, so the entry is about gateways alone; remove ports")
		}
		on = append(on, one)
	}
	return on, true
}

// configured is the older kind with what the newer one says of a module.
func configured(in *extensions.WasmConfig) *extensions.WasmPlugin {
	return &extensions.WasmPlugin{
		Url: in.GetUrl(), Sha256: in.GetSha256(), ImagePullPolicy: in.GetImagePullPolicy(), Type: in.GetType(),
		PluginConfig: in.GetPluginConfig(), PluginName: in.GetPluginName(), FailStrategy: in.GetFailStrategy(), VmConfig: in.GetVmConfig(), ImagePullSecret: in.GetImagePullSecret(),
	}
}

var failures = map[extensions.FailStrategy]model.PluginFail{
	extensions.FailStrategy_FAIL_CLOSE: model.PluginClosed, extensions.FailStrategy_FAIL_OPEN: model.PluginOpen, extensions.FailStrategy_FAIL_RELOAD: model.PluginReload,
}

// module reads one; false where nothing of it may run, which is said.
func module(o *object.Object, at object.Path, in *extensions.WasmPlugin) (*model.Wasm, bool) {
	if in.GetType() == extensions.PluginType_NETWORK {
		o.NotHonoured(at.Dot("type"), "weft runs plugins on requests, not on the bytes of a connection, so nothing is run; use HTTP")
		return nil, false
	}
	out := &model.Wasm{Name: in.GetPluginName(), Fail: failures[in.GetFailStrategy()]}
	if !moduleSource(o, at, in, out) {
		return nil, false
	}
	if in.GetPluginConfig() != nil {
		config, err := json.Marshal(in.GetPluginConfig().AsMap()) // that of protobuf has other spaces in each build of the program
		if err != nil || len(config) > object.MaxBody {
			o.Invalid(at.Dot("pluginConfig"), "has %d bytes, more than %d, or cannot be written as JSON, so nothing is run", len(config), object.MaxBody)
			return nil, false
		}
		out.Config = string(config)
	}
	return out, variables(o, at.Dot("vmConfig.env"), in.GetVmConfig().GetEnv(), out)
}

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func moduleSource(o *object.Object, at object.Path, in *extensions.WasmPlugin, out *model.Wasm) bool {
	text := in.GetUrl()
	if !strings.Contains(text, "://") {
		text = "oci://" + text // the rule of both kinds
	}
	digest := strings.ToLower(in.GetSha256())
	to, err := url.Parse(text)
	switch {
	case err != nil || in.GetUrl() == "":
		o.Invalid(at.Dot("url"), "%.100q is no URL, so nothing is run; write oci://IMAGE, https://… or file://…", in.GetUrl())
	case digest != "" && !digestForm.MatchString(digest):
		o.Invalid(at.Dot("sha256"), "is no SHA-256 of 64 hexadecimal digits, so nothing is run")
	case to.Scheme == "file" && (to.Host != "" || !path.IsAbs(to.Path)):
		o.Invalid(at.Dot("url"), "names no file, so nothing is run; write file:/// and the path beside the proxy")
	case to.Scheme == "file":
		out.File = to.Path
		return true
	case to.Scheme != "oci" && to.Scheme != "http" && to.Scheme != "https" || to.Host == "" || to.User != nil:
		o.Invalid(at.Dot("url"), "weft asks for modules by oci://, https:// and http:// without a user, so nothing is run; use one of these, or file:// for what is beside the proxy")
	default:
		out.Source = model.ModuleSource{URL: text, Digest: digest, Again: digest == "" && again(in.GetImagePullPolicy(), to)}
		if name := in.GetImagePullSecret(); name != "" && to.Scheme == "oci" {
			out.Source.Pull = o.Namespace + "/" + name // never another namespace's
		}
		return true
	}
	return false
}

// again says whether what is at a URL may change: where that is wished, or by default under a tag that is meant to.
func again(policy extensions.PullPolicy, to *url.URL) bool {
	if policy != extensions.PullPolicy_UNSPECIFIED_POLICY {
		return policy == extensions.PullPolicy_Always
	}
	name := path.Base(to.Path)
	return to.Scheme == "oci" && !strings.Contains(name, "@") && (strings.HasSuffix(name, ":latest") || !strings.Contains(name, ":"))
}

func variables(o *object.Object, at object.Path, env []*extensions.EnvVar, out *model.Wasm) bool {
	if len(env) > maxVariables {
		o.Invalid(at, "has %d entries, more than %d, so nothing is run", len(env), maxVariables)
		return false
	}
	seen := map[string]bool{}
	for i, v := range env {
		if v.Name == "" || seen[v.Name] {
			o.Invalid(at.At(i).Dot("name"), "is empty, or twice in the list, so nothing is run")
			return false
		}
		seen[v.Name] = true
		if v.ValueFrom == extensions.EnvValueSource_HOST {
			out.Host = append(out.Host, v.Name)
			continue
		}
		if out.Env == nil {
			out.Env = map[string]string{}
		}
		out.Env[v.Name] = v.Value
	}
	return true
}

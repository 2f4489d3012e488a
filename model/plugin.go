package model

import (
	"bytes"
	"reflect"
)

// Plugin is somebody's code that proxies run on requests. Key: object.
type Plugin struct {
	Object Key
	Reach
	Phase    PluginPhase
	Priority int32      // within a phase, the higher one is first
	Rank     int64      // as in RouteTable; of one priority the oldest is first
	On       []PluginOn // which requests; none: all
	Wasm     *Wasm      // one of these is set
	Lua      string     // text of a script
	From     []Origin
}

func (p Plugin) Key() string         { return p.Object.String() }
func (p Plugin) Equal(o Plugin) bool { return reflect.DeepEqual(p, o) }

// Source is where its module is to be had; the zero one: nowhere else.
func (p Plugin) Source() ModuleSource {
	if p.Wasm == nil {
		return ModuleSource{}
	}
	return p.Wasm.Source
}

// Open says whether requests pass where there is nothing to run. Of scripts that is so, as it is when one fails.
func (p Plugin) Open() bool { return p.Wasm == nil || p.Wasm.Fail == PluginOpen }

// PluginPhase is when a plugin gets a request: in this order.
type PluginPhase int

const (
	PluginAuthn PluginPhase = iota // before tokens are verified
	PluginAuthz                    // behind that, and before rules are asked
	PluginStats                    // behind these
	PluginLast                     // the last before the request goes on
)

// PluginOn are requests that a workload sends, or takes.
type PluginOn struct {
	Calls, Served bool     // a gateway's are both
	Ports         []uint32 // of the workload, or of the gateway; none: all
}

// Wasm is code that is compiled for a virtual machine.
type Wasm struct {
	Source ModuleSource      // where it is to be had; zero: File
	File   string            // beside the proxy
	Name   string            // by which the module knows which of its parts is meant
	Config string            // JSON; "": none
	Env    map[string]string // of the virtual machine
	Host   []string          // variables of the proxy's own environment that it gets, too
	Fail   PluginFail
}

// PluginFail is what becomes of a request when the code cannot be had, or fails.
type PluginFail int

const (
	PluginClosed PluginFail = iota // it is refused
	PluginOpen                     // it passes
	PluginReload                   // it is refused; the next one gets a new virtual machine
)

// ModuleSource is where the code of plugins is to be had. Key: all of it.
type ModuleSource struct {
	URL    string // https://, http:// or oci://
	Digest string // SHA-256 of the module as hex; "": whatever comes
	Again  bool   // it is asked for again and again: what is there may change
	Pull   string // name of the PullSecret by which a registry is asked; "": as anybody may
}

func (m ModuleSource) Key() string {
	key := m.URL + "#" + m.Digest + "#" + m.Pull
	if m.Again {
		key += "#again"
	}
	return key
}
func (m ModuleSource) Equal(o ModuleSource) bool { return m == o }

// PullSecret says who asks registries of images. Key: Name.
type PullSecret struct {
	Name   string     // "namespace/name"
	Config PrivateKey // as Docker's configuration says it: JSON with auths
}

func (p PullSecret) Key() string { return p.Name }
func (p PullSecret) Equal(o PullSecret) bool {
	return p.Name == o.Name && bytes.Equal(p.Config, o.Config)
}

// MaxModule is how many bytes a module may have: each proxy that runs it gets all of them.
const MaxModule = 16 << 20

// Module is what was found there. There is none as long as nobody has looked. Key: Source.
type Module struct {
	Source  ModuleSource
	Code    string // "": there is none
	Trouble string // why it is not the newest; "": it is
}

func (m Module) Key() string         { return m.Source.Key() }
func (m Module) Equal(o Module) bool { return m == o }

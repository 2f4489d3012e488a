// Package mesh writes the synthetic mesh that is measured, as Istio resources in files:
// services with static endpoints, every so many of them with subsets and weights, and who
// sees which of them. Beside it are templates of the objects that a measurement changes.
//
// Input: sizes. Output: a folder. It must not know which server reads it, but for what
// Istio's control plane needs to find it.
package mesh

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The services that measurements change; each has a file of its own, so that a server that
// reads files reads no more than it must.
const (
	Routed  = 0 // its route changes; it has subsets
	Hot     = 1 // its endpoints change
	Witness = 2 // its endpoints change too, where Hot's stand for something else
)

// Mesh is what to write.
type Mesh struct {
	Services   int
	Endpoints  int // of each service
	SplitEvery int // each so-manieth service has two subsets and weights; 0: none
	Scopes     []Scope
}

// Scope says what the workloads of a namespace see; Services nil: everything.
type Scope struct {
	Namespace string
	Services  []int
}

// Everything is the scope of the load client's default namespace.
var Everything = []Scope{{Namespace: "default"}}

// Files are where a mesh stands.
type Files struct{ Dir string }

// Config is the folder that a server watches: static never changes, hot does.
func (f Files) Config() string { return filepath.Join(f.Dir, "config") }

// Service is the file of one of the services that change.
func (f Files) Service(i int) string { return filepath.Join(f.hot(), Name(i)+".yaml") }

// EndpointTemplate is Service with one more endpoint, EndpointAddress.
func (f Files) EndpointTemplate(i int) string { return filepath.Join(f.templates(), Name(i)+".tmpl") }

// LabelTemplate is Service with a label and an annotation that nobody selects on.
func (f Files) LabelTemplate(i int) string {
	return filepath.Join(f.templates(), Name(i)+"-label.tmpl")
}

// Route is the file of the route that changes.
func (f Files) Route() string { return filepath.Join(f.hot(), "route.yaml") }

// RouteTemplate is Route with a request header whose value is RouteMarker.
func (f Files) RouteTemplate() string { return filepath.Join(f.templates(), "route.tmpl") }

// IstioMesh is the MeshConfig that makes Istio's control plane read these files.
func (f Files) IstioMesh() string { return filepath.Join(f.Dir, "istio-mesh.yaml") }

// Namespaces are those of the scopes, for an API server, which wants them first.
func (f Files) Namespaces() string { return filepath.Join(f.Dir, "namespaces.yaml") }

// Folders are those of Config that have files.
func (f Files) Folders() []string { return []string{f.static(), f.hot()} }

func (f Files) static() string    { return filepath.Join(f.Config(), "static") }
func (f Files) hot() string       { return filepath.Join(f.Config(), "hot") }
func (f Files) templates() string { return filepath.Join(f.Dir, "templates") }

// What a change number expands to: see load.
const (
	EndpointAddress = "11.7.{hi}.{lo}"
	RouteMarker     = "m-{i}-end"
	Port            = 8080
)

// Name of a service; Host is what callers say.
func Name(i int) string { return fmt.Sprintf("svc-%05d", i) }
func Host(i int) string { return Name(i) + ".default.svc.cluster.local" }

// Write replaces dir by the mesh.
func (m Mesh) Write(dir string) (Files, error) {
	f := Files{dir}
	if m.Services <= Witness {
		return f, fmt.Errorf("a mesh of %d services has none to change: it needs at least %d", m.Services, Witness+1)
	}
	if err := os.RemoveAll(dir); err != nil {
		return f, err
	}
	for _, d := range []string{f.static(), f.hot(), f.templates()} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return f, err
		}
	}
	for file, text := range m.texts(f) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			return f, err
		}
	}
	return f, nil
}

// servicesPerFile keeps a file at a size that a person would still open.
const servicesPerFile = 100

func (m Mesh) texts(f Files) map[string]string {
	texts := map[string]string{
		f.Route():         route(Routed, ""),
		f.RouteTemplate(): route(Routed, fmt.Sprintf(", headers: {request: {set: {x-marker: %s}}}", RouteMarker)),
		f.IstioMesh():     fmt.Sprintf("accessLogFile: \"\"\nconfigSources:\n- address: fs://%s\n- address: fs://%s\n", f.static(), f.hot()),
	}
	var splits, scopes, namespaces strings.Builder
	services := map[string]*strings.Builder{}
	for i := range m.Services {
		switch i {
		case Hot, Witness:
			texts[f.Service(i)] = m.service(i, "")
			texts[f.EndpointTemplate(i)] = m.service(i, "") + endpoint(Name(i), EndpointAddress, 1)
			texts[f.LabelTemplate(i)] = m.service(i, ", labels: {changed: \"l-{i}\"}, annotations: {changed: \"a-{i}\"}")
		default:
			file := filepath.Join(f.static(), fmt.Sprintf("services-%03d.yaml", i/servicesPerFile))
			if services[file] == nil {
				services[file] = &strings.Builder{}
			}
			services[file].WriteString(m.service(i, ""))
		}
		switch {
		case i == Routed:
			splits.WriteString(subsets(i))
		case m.SplitEvery > 0 && i%m.SplitEvery == 0:
			splits.WriteString(subsets(i) + route(i, ""))
		}
	}
	for _, s := range m.Scopes {
		scopes.WriteString(s.sidecar())
		fmt.Fprintf(&namespaces, "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: %s}\n", s.Namespace)
	}
	for file, text := range services {
		texts[file] = text.String()
	}
	texts[f.Namespaces()] = namespaces.String()
	texts[filepath.Join(f.static(), "splits.yaml")] = splits.String()
	texts[filepath.Join(f.static(), "scopes.yaml")] = scopes.String()
	return texts
}

// service is a ServiceEntry; meta is added to its metadata.
func (m Mesh) service(i int, meta string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: %s, namespace: default%s}
spec:
  hosts: [%s]
  location: MESH_INTERNAL
  resolution: STATIC
  ports:
  - {number: %d, name: http, protocol: HTTP}
  endpoints:
`, Name(i), meta, Host(i), Port)
	for k := range m.Endpoints {
		n := 1 + i*m.Endpoints + k
		address := fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
		b.WriteString(endpoint(Name(i), address, 1+k%2))
	}
	return b.String()
}

func endpoint(service, address string, version int) string {
	return fmt.Sprintf("  - {address: %s, labels: {app: %s, version: v%d, security.istio.io/tlsMode: istio}}\n", address, service, version)
}

func subsets(i int) string {
	return fmt.Sprintf(`---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s, namespace: default}
spec:
  host: %s
  trafficPolicy: {outlierDetection: {consecutive5xxErrors: 5}}
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
`, Name(i), Host(i))
}

// route is a VirtualService; first is added to its first destination.
func route(i int, first string) string {
	return fmt.Sprintf(`---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s, namespace: default}
spec:
  hosts: [%s]
  http:
  - route:
    - {destination: {host: %[2]s, subset: v1}, weight: 90%[3]s}
    - {destination: {host: %[2]s, subset: v2}, weight: 10}
`, Name(i), Host(i), first)
}

func (s Scope) sidecar() string {
	hosts := []string{`"*/*"`}
	if s.Services != nil {
		hosts = nil
	}
	for _, i := range s.Services {
		hosts = append(hosts, "default/"+Host(i))
	}
	return fmt.Sprintf(`---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default, namespace: %s}
spec:
  egress:
  - hosts: [%s]
`, s.Namespace, strings.Join(hosts, ", "))
}

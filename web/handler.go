// Package web is what people's tools read: the JSON API of the CLI and of the UI,
// under /weft/v1/, and the UI itself. Authentication and authorisation happen before a
// request arrives here.
//
// Input: what the mesh and the releases know, by the functions of Mesh. Output:
// JSON; an error is {"error": "..."} with a status that fits. It must not decide
// anything.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/explain"
	"weft.dev/metrics"
	"weft.dev/model"
	"weft.dev/mtls"
	"weft.dev/scope"
	"weft.dev/tap"
	"weft.dev/topology"
	"weft.dev/trace"
	"weft.dev/web/ui"
)

// Prefix of every path.
const Prefix = "/weft/v1/"

const maxBody = 1 << 20

// Mesh is where the answers come from. Every field is set.
type Mesh struct {
	// Serving is closed once the mesh can answer; until then everything is 503.
	Serving <-chan struct{}
	Status  func() Status
	Edges   func(window time.Duration) []metrics.Edge
	// Calls are those since a time, at most metrics.Forget ago.
	Calls    func(since time.Time) []metrics.Call
	Past     *topology.History
	Series   Series
	Plain    func(clusters []string) map[string]bool // those that are called in plain text
	Problems func() []model.Problem
	// Noted is what the object says of a problem.
	Noted func(model.Problem) Noted
	Log   func() string // the server's last lines
	// Workloads are the instances that are registered.
	Workloads func() []model.Workload
	Replicas  func() []model.Replicas // the same, those that are alike as one
	Services  func() []model.Service
	Splits    func() []model.Split
	Routes    func() []model.RouteTable
	Policies  func() Policies
	Proxies   func() []model.Proxy
	Behind    func() []string                   // ids of the connected proxies that lack something of the newest revision
	Revision  func(proxy string) uint64         // up to which it holds everything
	Sent      func(proxy string) map[string]int // resources sent since it connected, by type
	Explain   func(proxy string, request explain.Request) (explain.Trace, error)
	RoutesOf  func(proxy string) (explain.Table, error)
	// Tap looks at the requests of a workload, or of all of an application, until somebody has the listener leave. Who does, the context says.
	Tap     func(ctx context.Context, of string) (*tap.Listener, error)
	Request func(id string) []tap.Record // what is kept of one that was seen
	// Releases are in short, sorted by namespace and name; nil where nobody releases.
	Releases        func() []Release
	ReleasesChanged func() uint64 // grows with each change of one
	Release         func(ctx context.Context, namespace, name string) (*v1alpha1.Release, error)
	// Pipelines and Runs are in short, sorted by namespace and name; none where nobody ships.
	Pipelines func() []Pipeline
	Pipeline  func(ctx context.Context, namespace, name string) (*v1alpha1.Pipeline, error)
	Runs      func() []Run
	Run       func(ctx context.Context, namespace, name string) (*v1alpha1.PipelineRun, error)
	// Definition is the pipeline of a run as it is for that run; ErrNotFound where it is gone.
	Definition func(context.Context, *v1alpha1.PipelineRun) (*v1alpha1.PipelineSpec, error)
	Freezes    func() []v1alpha1.Freeze
	// NotStart and NotDecide are why who asks, by the context, may not; "": they may, or only the API server knows who asks.
	NotStart  func(context.Context, *v1alpha1.Pipeline) string
	NotDecide func(ctx context.Context, run *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec, verb, stage string) string
	Scope     func(namespace, workload string) (scope.Answer, error)
	// MTLS is who calls in plain text; quiet and idle are those of mtls.Facts.
	MTLS    func(quiet time.Duration, idle bool) mtls.Plan
	Token   func(TokenRequest) (TokenReply, error)
	Traces  *trace.Store
	Me      func(context.Context) (Me, error) // who asks, by the context
	Budgets func() []Budget
	// SwitchStats has a workload's proxy keep full statistics for so long, FullStats are those that do. Who does, the context says.
	SwitchStats func(ctx context.Context, workload string, d time.Duration) error
	FullStats   func() []FullStats
	// Preview decides by the context who may have one.
	Preview func(context.Context, PreviewRequest) (PreviewReply, error)
	// RevokePreviews ends all that there are; it decides by the context who may.
	RevokePreviews func(context.Context) (PreviewsEnded, error)
}

// Status is the state of the server in one look.
type Status struct {
	Version   string `json:"version"`
	Revision  uint64 `json:"revision"`
	Proxies   int    `json:"proxies"`   // connected
	Current   int    `json:"current"`   // of them, those that hold the whole revision
	Workloads int    `json:"workloads"` // registered
	Healthy   int    `json:"healthy"`   // of them, those that take calls
	Problems  int    `json:"problems"`
	MeshPort  string `json:"meshPort"`         // where agents connect, host:port
	Commit    string `json:"commit,omitempty"` // of the repository, if one is served
}

// Noted is where a part of an object is written, and whether its owner knows of a problem there.
type Noted struct {
	File       string // "": nobody can say
	Line       int
	Suppressed bool
}

// Problem is model.Problem as JSON.
type Problem struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Code      string `json:"code"`
	Path      string `json:"path,omitempty"`
	Message   string `json:"message"`
	// Where it is written and whether its owner knows of it: where somebody asks for the problems alone.
	File       string `json:"file,omitempty"`
	Line       int    `json:"line,omitempty"`
	Suppressed bool   `json:"suppressed,omitempty"`
}

// Proxy is model.Proxy as JSON.
type Proxy struct {
	ID        string   `json:"id"`
	Connected bool     `json:"connected"`
	Current   bool     `json:"current"` // it holds all of the newest configuration
	Revision  uint64   `json:"revision"`
	Envoy     string   `json:"envoy,omitempty"`
	Refused   []string `json:"refused,omitempty"`
	// Sent counts the resources pushed since it connected, by type.
	Sent map[string]int `json:"sent,omitempty"`
}

// Workload is model.Workload as JSON.
type Workload struct {
	ID      string `json:"id"`
	App     string `json:"app,omitempty"`
	Version string `json:"version,omitempty"`
	Gateway string `json:"gateway,omitempty"`
	Address string `json:"address"`
	Health  string `json:"health"`
}

// TokenRequest asks for a one-time join token.
type TokenRequest struct {
	TTL        string   `json:"ttl,omitempty"`        // a duration; default and maximum are the server's
	Namespaces []string `json:"namespaces,omitempty"` // whose identities the host may hold; none: default
}

// TokenReply is the token, shown once.
type TokenReply struct {
	Token   string    `json:"token"`
	Server  string    `json:"server"` // host:port to join
	Expires time.Time `json:"expires"`
}

// ErrNotFound makes a 404.
var ErrNotFound = errors.New("not found")

// Handler serves the API.
func Handler(mesh Mesh) http.Handler {
	mux := http.NewServeMux()
	seen := newGlances(mesh)
	get := func(path string, serve func(*http.Request) (any, error)) {
		mux.HandleFunc("GET "+Prefix+path, func(w http.ResponseWriter, r *http.Request) { reply(w, r, serve) })
	}
	get("status", func(*http.Request) (any, error) { return mesh.Status(), nil })
	get("edges", func(r *http.Request) (any, error) { return edges(mesh, r) })
	get("problems", func(*http.Request) (any, error) { return Located(mesh.Problems(), mesh.Noted), nil })
	get("targets", func(*http.Request) (any, error) { return targets(mesh.Workloads()), nil })
	debug(mux, mesh.Log)
	get("workloads", func(*http.Request) (any, error) { return workloads(mesh.Workloads()), nil })
	get("proxies", func(*http.Request) (any, error) { return proxies(mesh), nil })
	get("services", func(r *http.Request) (any, error) { return services(seen, r) })
	get("services/{namespace}/{name}", func(r *http.Request) (any, error) { return servicePage(seen, r) })
	get("releases", func(r *http.Request) (any, error) { return releases(mesh, r) })
	get("releases/{namespace}/{name}", func(r *http.Request) (any, error) { return releasePage(mesh, r) })
	get("pipelines", func(r *http.Request) (any, error) { return pipelines(mesh, r) })
	get("pipelines/{namespace}/{name}", func(r *http.Request) (any, error) { return pipelinePage(mesh, r) })
	get("runs/{namespace}/{name}", func(r *http.Request) (any, error) { return runPage(mesh, r) })
	get("freezes", func(*http.Request) (any, error) { return freezes(mesh, time.Now()), nil })
	get("fleet", func(r *http.Request) (any, error) { return fleet(mesh, r) })
	get("session", func(*http.Request) (any, error) { return Session{}, nil }) // who leads here may have one
	get("settings", func(r *http.Request) (any, error) { return settings(mesh, r) })
	get("overview", func(*http.Request) (any, error) { return overview(seen, time.Now()), nil })
	mux.HandleFunc("GET "+Prefix+"topology", showTopology(seen))
	get("boards/{name}", func(r *http.Request) (any, error) { return showBoard(mesh, r, time.Now()) })
	get("past", func(*http.Request) (any, error) { return past(mesh), nil })
	mux.HandleFunc("GET "+Prefix+"changes", changes(mesh))
	get("traces", func(r *http.Request) (any, error) { return traces(mesh.Traces, r, time.Now()) })
	get("traces/{id}", func(r *http.Request) (any, error) { return oneTrace(mesh.Traces, r) })
	get("explain", func(r *http.Request) (any, error) { return explained(mesh, r) })
	get("resilience", func(r *http.Request) (any, error) { return resilience(mesh, r) })
	get("routes", func(r *http.Request) (any, error) { return mesh.RoutesOf(r.URL.Query().Get("proxy")) })
	mux.HandleFunc("POST "+Prefix+TapPath, tapped(mesh))
	get("requests/{id}", func(r *http.Request) (any, error) { return request(mesh, r) })
	get(MTLSPath, func(r *http.Request) (any, error) { return mtlsPlan(mesh, r) })
	get("scope", func(r *http.Request) (any, error) {
		query := r.URL.Query()
		return mesh.Scope(query.Get("namespace"), query.Get("workload"))
	})
	get(StatsPath, func(*http.Request) (any, error) { return orEmpty(mesh.FullStats()), nil })
	mux.HandleFunc("POST "+Prefix+StatsPath, func(w http.ResponseWriter, r *http.Request) {
		reply(w, r, func(r *http.Request) (any, error) { return switchStats(mesh, r) })
	})
	mux.HandleFunc("POST "+Prefix+"tokens", func(w http.ResponseWriter, r *http.Request) {
		reply(w, r, func(r *http.Request) (any, error) { return token(mesh, r) })
	})
	mux.HandleFunc("POST "+Prefix+PreviewsPath, func(w http.ResponseWriter, r *http.Request) {
		reply(w, r, func(r *http.Request) (any, error) { return preview(mesh, r) })
	})
	mux.HandleFunc("DELETE "+Prefix+PreviewsPath, func(w http.ResponseWriter, r *http.Request) {
		reply(w, r, func(r *http.Request) (any, error) { return mesh.RevokePreviews(r.Context()) })
	})
	pages := http.NewServeMux()
	pages.Handle("/", whenServing(mesh.Serving, mux))
	pages.Handle(ui.Prefix, ui.Handler())
	return pages
}

func whenServing(serving <-chan struct{}, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-serving:
			next.ServeHTTP(w, r)
		default:
			http.Error(w, `{"error":"the server is starting: try again in a second"}`, http.StatusServiceUnavailable)
		}
	})
}

// badRequest makes a 400.
type badRequest struct{ error }

// Invalid is the error of a request that cannot be meant.
func Invalid(format string, args ...any) error { return badRequest{fmt.Errorf(format, args...)} }

// denied makes a 403.
type denied struct{ error }

// Denied is the error of a request that not everybody may make.
func Denied(format string, args ...any) error { return denied{fmt.Errorf(format, args...)} }

func reply(w http.ResponseWriter, r *http.Request, serve func(*http.Request) (any, error)) {
	value, err := serve(r)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		status := http.StatusInternalServerError
		switch {
		case errors.As(err, &badRequest{}):
			status = http.StatusBadRequest
		case errors.As(err, &denied{}):
			status = http.StatusForbidden
		case errors.Is(err, ErrNotFound):
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		value = map[string]string{"error": err.Error()}
	}
	_ = json.NewEncoder(w).Encode(value)
}

func edges(mesh Mesh, r *http.Request) (any, error) {
	window, err := windowOf(r)
	if err != nil {
		return nil, err
	}
	return orEmpty(secured(mesh, mesh.Edges(window))), nil
}

// secured says of edges which are called in plain text.
func secured(mesh Mesh, edges []metrics.Edge) []metrics.Edge {
	names := make([]string, len(edges))
	for i, e := range edges {
		names[i] = clusterOf(e)
	}
	plain := mesh.Plain(names)
	for i := range edges {
		edges[i].Plain = plain[names[i]]
	}
	return edges
}

// Problems are rows as JSON.
func Problems(rows []model.Problem) []Problem {
	list := make([]Problem, 0, len(rows))
	for _, p := range rows {
		list = append(list, Problem{Kind: p.Object.Kind, Namespace: p.Object.Namespace, Name: p.Object.Name, Code: p.Code, Path: p.Path, Message: p.Message})
	}
	return list
}

// Located are problems with what their objects say of them.
func Located(rows []model.Problem, say func(model.Problem) Noted) []Problem {
	list := Problems(rows)
	for i, p := range rows {
		n := say(p)
		list[i].File, list[i].Line, list[i].Suppressed = n.File, n.Line, n.Suppressed
	}
	return list
}

func workloads(rows []model.Workload) []Workload {
	list := make([]Workload, 0, len(rows))
	for _, w := range rows {
		list = append(list, Workload{w.Key(), w.App, w.Version, w.Gateway, w.Address, string(w.Health)})
	}
	return list
}

func proxies(mesh Mesh) []Proxy {
	rows, behind := mesh.Proxies(), behind(mesh)
	list := make([]Proxy, 0, len(rows))
	for _, p := range rows {
		list = append(list, Proxy{
			ID: p.ID, Connected: p.Connected, Current: p.Connected && !behind[p.ID], Revision: mesh.Revision(p.ID),
			Envoy: p.Version, Refused: refused(p), Sent: mesh.Sent(p.ID),
		})
	}
	return list
}

// behind are the proxies that lack something of the newest revision, by id.
func behind(mesh Mesh) map[string]bool {
	all := map[string]bool{}
	for _, id := range mesh.Behind() {
		all[id] = true
	}
	return all
}

// refused is what a proxy does not take, and why.
func refused(p model.Proxy) (all []string) {
	for _, r := range p.Refusals {
		all = append(all, r.Type+" "+r.Name+": "+r.Reason)
	}
	return all
}

func token(mesh Mesh, r *http.Request) (any, error) {
	var request TokenRequest
	if err := read(r, &request); err != nil {
		return nil, Invalid("token request: %w", err)
	}
	return mesh.Token(request)
}

// read decodes a body, which may be empty.
func read(r *http.Request, into any) error {
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// orEmpty makes JSON of an empty list [], not null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

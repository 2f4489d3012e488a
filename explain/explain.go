package explain

import (
	"fmt"
	"net/url"
	"strings"

	"weft.dev/model"
)

// Request is a call, as its caller makes it.
type Request struct {
	Method  string            `json:"method"` // "": GET
	URL     string            `json:"url"`    // http://reviews:9080/path?query
	Headers map[string]string `json:"headers,omitempty"`
}

// Part is one thing that the request meets.
type Part struct {
	Name string   `json:"name,omitempty"`
	Text string   `json:"text,omitempty"` // what it does, in words
	From []string `json:"from,omitempty"` // objects that caused it, with file and line where known
}

// Trace is the way of a request.
type Trace struct {
	Proxy    string `json:"proxy"`
	Identity string `json:"identity"` // that others see
	Listener Part   `json:"listener"`
	Host     Part   `json:"host"`
	Route    Part   `json:"route"`
	// Misses are the routes that come before it and do not match, and those that match and come later.
	Misses     []Miss   `json:"misses,omitempty"`
	MoreMisses int      `json:"moreMisses,omitempty"` // that are not told
	Policies   []Part   `json:"policies,omitempty"`   // timeout, retries, and what else the route does
	Answers    []Answer `json:"answers,omitempty"`    // given by the proxy itself
	Targets    []Target `json:"targets,omitempty"`
}

// Answer is a response without a backend.
type Answer struct {
	Percent float64  `json:"percent"`
	Status  uint32   `json:"status"`
	Text    string   `json:"text"`
	From    []string `json:"from,omitempty"`
}

// Target is a cluster that gets a share of such requests.
type Target struct {
	Part
	Percent   float64    `json:"percent"`
	Breaker   string     `json:"breaker,omitempty"`
	Fallback  string     `json:"fallback,omitempty"`
	Endpoints []Endpoint `json:"endpoints,omitempty"`
}

// Endpoint is an instance that may get the request.
type Endpoint struct {
	Address  string `json:"address"`
	Workload string `json:"workload,omitempty"`
	Version  string `json:"version,omitempty"`
	Health   string `json:"health"`
	Place    string `json:"place,omitempty"` // where it is, and what the caller makes of that
	Guard    *Guard `json:"guard,omitempty"` // nil: it has no proxy, or its view is unknown
}

// Guard is what the proxy of an instance says to the request.
type Guard struct {
	Allowed bool     `json:"allowed"`
	Policy  string   `json:"policy,omitempty"` // that decided; "" if none did
	Text    string   `json:"text"`
	DryRun  []string `json:"dryRun,omitempty"` // policies on trial that would have refused it
	From    []string `json:"from,omitempty"`
	Limits  []Part   `json:"limits,omitempty"` // that it meets there, in the order in which they are asked
}

// Mesh answers for all proxies.
type Mesh interface {
	// View is what a workload's proxy holds when it calls an authority, or, with
	// "", at any time; nil: there is no such workload.
	View(workload, authority string) *model.View
	// At is the workload whose proxy takes calls at an address.
	At(ip string, port uint32) (model.Workload, bool)
}

// Explain follows a request that the workload makes; for a gateway, one that
// arrives at it.
func Explain(mesh Mesh, workload model.Workload, r Request) (Trace, error) {
	m, err := r.message()
	if err != nil {
		return Trace{}, err
	}
	view, err := viewOf(mesh, workload, m.headers[":authority"])
	if err != nil {
		return Trace{}, err
	}
	c := &call{view: view, mesh: mesh, trace: Trace{Proxy: workload.Key()}}
	err = c.enter(m, workload.Gateway != "")
	return c.trace, err
}

func viewOf(mesh Mesh, workload model.Workload, authority string) (*model.View, error) {
	if view := mesh.View(workload.Key(), authority); view != nil {
		return view, nil
	}
	return nil, fmt.Errorf("workload %s: no proxy of it is known; is it registered?", workload.Key())
}

// Check says what is wrong with a request that no client could make.
func (r Request) Check() error {
	_, err := r.message()
	return err
}

// message is what a client sends: the path byte for byte, because how a proxy
// reads an odd one is worth a question.
func (r Request) message() (message, error) {
	fault := fmt.Errorf("url %q: want http://HOST[:PORT]/PATH", r.URL)
	scheme, rest, ok := strings.Cut(r.URL, "://")
	i := strings.IndexAny(rest+"/", "/?#")
	u, err := url.Parse(scheme + "://" + rest[:i])
	if !ok || err != nil || u.Host == "" || strings.ContainsFunc(r.URL, invisible) {
		return message{}, fault
	}
	m := message{headers: map[string]string{}, port: u.Port()}
	for k, v := range r.Headers {
		m.headers[strings.ToLower(k)] = v
	}
	path, _, _ := strings.Cut(rest[i:], "#")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	method := strings.ToUpper(r.Method)
	if method == "" {
		method = "GET"
	}
	if scheme = strings.ToLower(scheme); scheme != "https" {
		scheme = "http"
	}
	m.headers[":method"], m.headers[":path"], m.headers[":scheme"], m.headers[":authority"] = method, path, scheme, u.Host
	return m, nil
}

func invisible(c rune) bool { return c <= ' ' || c > '~' }

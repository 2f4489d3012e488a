package explain_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/compile"
	"weft.dev/explain"
	"weft.dev/model"
)

var (
	meshes   = flag.Uint64("meshes", 3, "random meshes, each one an Envoy that is called a thousand times")
	meshSeed = flag.Uint64("meshes-seed", 0, "of the first of them")
)

// calls are those of a mesh, by how many of them each of its proxies gets.
const sidecarCalls, frontCalls, backCalls = 350, 500, 150

// A real Envoy does what explain says: random requests through random routes of
// a sidecar and of gateways, each compared in its answer or its cluster, its
// route, and the host and path that the backend sees.
func TestExplainIsWhatEnvoyDoes(t *testing.T) {
	backend := echo(t)
	previews, tokens := previewsAt(t, "a.test", "*.a.test", "*.test", "shop.example.com"), someTokens(t)
	certificates := []model.Certificate{certificateFor(t, "shop/tls"), certificateFor(t, "shop/tls-some")}
	outcomes := map[string]int{}
	for seed := *meshSeed; seed < *meshSeed+*meshes; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			all := randomMesh(random, backend, func() int { return freePort(t) })
			all.keys, all.certificates = previews.keys, certificates
			if chance(random, 2) {
				all.tokens = []model.RequestAuth{{Object: model.Key{Kind: "RequestAuthentication", Namespace: "shop", Name: "tokens"}, Reach: model.Reach{Namespace: "shop"}, Rules: tokens.rules[:1+random.IntN(2)]}}
			}
			c := &comparison{T: t, mesh: all.compile(), client: newClient(t), spent: map[string]bool{}, outcomes: outcomes}
			runEnvoy(t, static(t, c.mesh.View(all.sidecar.Key(), ""), c.mesh.View(all.front.Key(), ""), c.mesh.View(all.back.Key(), "")))
			for range sidecarCalls {
				c.compare(all.sidecar, int(all.sidecar.Outbound), randomRequest(random, nil))
			}
			for i, n := range []int{frontCalls, backCalls} {
				ports := [][]string{all.frontPorts, all.backPorts}[i]
				for range n {
					q := tokens.show(random, previews.show(random, randomRequest(random, ports)))
					c.compare([]model.Workload{all.front, all.back}[i], 0, q)
				}
			}
		})
	}
	t.Logf("%d meshes with %d calls each: %v", *meshes, sidecarCalls+frontCalls+backCalls, outcomes)
	if some := outcomes["delayed too little"]; some*20 > outcomes["delayed"] { // a timer of a busy Envoy is not exact
		t.Errorf("%d of %d requests were not delayed", some, outcomes["delayed"])
	}
	if len(outcomes) < 12 {
		t.Errorf("the requests meet too little: %v", outcomes)
	}
}

// comparison is of one Envoy and what explain says of its proxies.
type comparison struct {
	*testing.T
	mesh     *compile.Compiled
	client   *client
	spent    map[string]bool // limits that refuse all that they meet now
	outcomes map[string]int
}

// compare makes a request; to a sidecar's port, or, without one, to where it names.
func (c *comparison) compare(w model.Workload, outbound int, q explain.Request) {
	c.Helper()
	trace, err := explain.Explain(c.mesh, w, q)
	if err != nil {
		c.Fatalf("%+v: %v", q, err)
	}
	port := outbound
	if outbound == 0 {
		_, rest, _ := strings.Cut(q.URL, "://")
		fmt.Sscanf(rest[strings.IndexByte(rest, ':'):], ":%d", &port)
	}
	seen, err := c.client.send(port, outbound != 0, q)
	if err != nil {
		c.Fatalf("%+v: %v", q, err)
	}
	if why := c.disagreement(w, q, trace, seen); why != "" {
		c.Errorf("%s: %s %s %v\nEnvoy: %+v\nexplain: %s", why, q.Method, q.URL, q.Headers, seen, trace.Text())
	}
	c.outcomes[fmt.Sprintf("%d forwarded: %v", seen.status, seen.forwarded)]++
}

// disagreement is what was observed and is not among the trace's possibilities; "": nothing.
func (c *comparison) disagreement(w model.Workload, q explain.Request, trace explain.Trace, seen observed) string {
	if rule, again := strings.CutSuffix(seen.route, compile.FallbackRoute); again && seen.route != trace.Route.Name {
		return instead(trace, rule, seen)
	}
	if early := trace.Host.Name == "" && strings.Contains(trace.Text(), "400"); seen.route != trace.Route.Name && seen.route != "" && !early {
		return "route" // what was refused early may be marked by a route that was not asked
	}
	said := map[string]string{}
	for _, p := range trace.Policies {
		if p.Name == "limit" {
			refused := seen.status == 429 || isGRPC(q) && seen.status == 200 || seen.fallback != "" && strings.Contains(trace.Text(), "429")
			if used := c.used(trace, p); used && refused {
				return ""
			} else if used && !strings.HasPrefix(q.URL, "https") { // a port of TLS has a budget for each certificate
				return "limit"
			}
		}
		said[p.Name] = p.Text
	}
	other := !seen.forwarded && (seen.fallback != "" || len(trace.Answers)+len(trace.Targets) > 1) // not what the last of several routes says
	if readable := strings.Contains(said["cors"], " may read the answer"); readable != (seen.readers != "") && !other {
		return "CORS"
	}
	if d, ok := strings.CutPrefix(said["fault"], "100% wait "); ok {
		d, _, _ := strings.Cut(d, ",")
		c.outcomes["delayed"]++
		if wait, _ := time.ParseDuration(d); seen.took < wait-time.Millisecond {
			c.outcomes["delayed too little"]++
		}
	}
	if !seen.forwarded {
		return unanswered(q, trace, seen)
	}
	why := "cluster"
	for _, x := range trace.Targets {
		if x.Name == seen.cluster && x.Percent > 0 {
			if why = rewriteOf(x, said["rewrite"], pathOf(w, q), seen); why == "" {
				return ""
			}
		}
	}
	return why
}

// rewriteOf compares what a target was asked for: what is said of it or of the route, or else the path that came.
func rewriteOf(x explain.Target, rewrite, path string, seen observed) string {
	if _, own, ok := strings.Cut(x.Text, ", asked for "); ok {
		rewrite = own
	}
	switch {
	case rewrite == "" && seen.path != path:
		return "path"
	case rewrite != "" && rewrite != seen.host+" "+seen.path:
		return "rewrite"
	}
	return ""
}

// instead compares what was led to another service, because of what the first one answered.
func instead(trace explain.Trace, rule string, seen observed) string {
	one := func(x explain.Target) bool {
		return x.Name == seen.cluster || strings.Contains(x.Fallback+" ", fmt.Sprintf("%s ", seen.cluster)) && strings.Contains(x.Fallback, "of a GET or HEAD")
	}
	if name, _, _ := strings.Cut(trace.Route.Name, "@"); name != rule || seen.forwarded && !slices.ContainsFunc(trace.Targets, one) {
		return "fallback"
	}
	return ""
}

// used says whether a limit refuses the request. The first one that it is for passes, at each place.
func (c *comparison) used(trace explain.Trace, limit explain.Part) bool {
	name, _, _ := strings.Cut(limit.Text, ":")
	at := name + " " + trace.Listener.Name
	if !strings.HasPrefix(name, "Gateway") {
		at += " " + trace.Host.Name
	}
	before := c.spent[at]
	c.spent[at] = true
	return before && !strings.HasPrefix(name, "Shadow")
}

// pathOf is the request's as the proxy reads it.
func pathOf(w model.Workload, q explain.Request) string {
	_, rest, _ := strings.Cut(q.URL, "://")
	i := strings.IndexAny(rest+"/", "/?")
	target := rest[i:]
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	path, query, _ := explain.Normal(target, w.Gateway != "")
	return path + query
}

func isGRPC(q explain.Request) bool {
	kind, rest, _ := strings.Cut(q.Headers["content-type"], "+")
	return kind == "application/grpc" && (rest != "" || kind == q.Headers["content-type"])
}

// unanswered says whether it is none of the trace's answers.
func unanswered(q explain.Request, trace explain.Trace, seen observed) string {
	for _, a := range trace.Answers {
		_, to, _ := strings.Cut(a.Text, "redirect to ")
		if a.Status == seen.status && a.Percent > 0 && (seen.location == "" || seen.location == to) {
			return ""
		}
	}
	for _, x := range trace.Targets {
		if x.Percent <= 0 {
			continue
		}
		if len(x.Endpoints) == 0 && (seen.status == 503 || seen.status == 200 && isGRPC(q)) {
			return ""
		}
		if seen.fallback != "" && x.Fallback != "" && (isGRPC(q) && seen.status == 200 || strings.Contains(x.Fallback, fmt.Sprintf("become %d ", seen.status))) {
			return ""
		}
	}
	return "answer"
}

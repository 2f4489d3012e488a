package main

import (
	_ "embed"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/tools/txtar"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
	"weft.dev/compile"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/test/wiring"
	"weft.dev/translate"
)

const trustDomain = "bench"

//go:embed policies.txtar
var written []byte

// policy is one of those in policies.txtar, under the same name. That it acts is seen by a call.
type policy struct {
	name   string
	path   string // of the call that shows it
	asks   string // a header of that call, as NAME: VALUE; "": none
	status int    // of its answer, the second time
	header string // that the answer has; "": any
}

var policies = []policy{
	{name: "mesh", path: "/", status: http.StatusOK},
	{name: "timeouts, retries, breakers, outliers", path: slow, status: http.StatusGatewayTimeout},
	{name: "adaptive concurrency", path: slow, status: http.StatusGatewayTimeout},
	{name: "fallback", path: fails, status: http.StatusOK, header: "x-weft-fallback"},
	{name: "rate limit, local", path: refused, status: http.StatusTooManyRequests},
	{name: "rate limit, local, by a header", path: refused, status: http.StatusTooManyRequests},
	{name: "rate limit, global", path: refused, status: http.StatusTooManyRequests},
	{name: "tokens (JWT, ES256)", path: "/", asks: "Authorization: Bearer forged", status: http.StatusUnauthorized},
	{name: "authorization, ALLOW and DENY", path: refused, status: http.StatusForbidden},
	{name: "authorization, dry run beside it", path: refused, status: http.StatusForbidden},
	{name: "asked outside, gRPC", path: refused, status: http.StatusForbidden},
	{name: "asked outside, HTTP", path: refused, status: http.StatusForbidden},
	{name: "CORS", path: "/", status: http.StatusOK, header: "access-control-allow-origin"},
	{name: "headers changed", path: "/", status: http.StatusOK, header: "x-by"},
	{name: "filter of Lua by EnvoyFilter", path: "/", status: http.StatusOK, header: "x-by"},
	{name: "plugin of Lua", path: "/", status: http.StatusOK, header: "x-by"},
	{name: "plugin of Wasm, written in Go", path: "/", asks: "X-Refuse-Me: yes", status: http.StatusForbidden},
}

func meshed() (all []subject) {
	for _, p := range policies {
		all = append(all, p.subject())
	}
	return all
}

// subject has the policy at a gateway, whose service is called by mTLS.
func (p policy) subject() subject {
	return subject{name: p.name, config: p.config, check: p.check}
}

func (p policy) config(at places) (object, error) {
	objects, err := p.objects(at)
	if err != nil {
		return nil, err
	}
	g := flow.New(flow.Options{})
	source := flow.NewSource[api.Object](g, "objects")
	rows := translate.New(source.Collection, translate.Options{TrustDomain: trustDomain})
	in, modules := wiring.Inputs(rows), flow.NewSource[model.Module](g, "modules")
	in.Modules = modules.Collection
	compiled := compile.New(g, in, compile.Options{TrustDomain: trustDomain})
	g.Commit(func(tx *flow.Tx) {
		for _, o := range objects {
			source.Set(tx, o)
		}
	})
	g.Commit(func(tx *flow.Tx) {
		for _, named := range rows.ModuleSources.All() {
			modules.Set(tx, model.Module{Source: named.Thing, Code: at.module})
		}
	})
	for _, problems := range [][]model.Problem{rows.Problems.All(), compiled.Problems.All()} {
		for _, p := range problems {
			return nil, fmt.Errorf("%s: %s", p.Object, p.Message)
		}
	}
	at.limits.know(rows.RateLimits.All())
	bootstrap, err := compile.Static(compiled.View("shop/edge-1", ""), at.secrets)
	if err != nil {
		return nil, err
	}
	resources := bootstrap["static_resources"].(object)
	resources["clusters"] = append(resources["clusters"].(list), toAgent(at.agent))
	return bootstrap, nil
}

// check wants the second call to be answered as the policy says.
func (p policy) check(at *proxy, _ uint64) error {
	for again := range 2 {
		r, err := http.NewRequest(http.MethodGet, "http://"+at.address+p.path, nil)
		if err != nil {
			return err
		}
		r.Host = "a"
		r.Header.Set("Origin", "https://a.example")
		if name, value, ok := strings.Cut(p.asks, ": "); ok {
			r.Header.Set(name, value)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if again == 1 && (answer.StatusCode != p.status || p.header != "" && answer.Header.Get(p.header) == "") {
			return fmt.Errorf("GET %s has %s %v, want %d %s: the policy does not act", p.path, answer.Status, answer.Header, p.status, p.header)
		}
	}
	return nil
}

// objects are the mesh and the policy.
func (p policy) objects(at places) (all []api.Object, err error) {
	fill := strings.NewReplacer("$LISTEN", fmt.Sprint(at.listen), "$BACKEND", fmt.Sprint(at.backend), "$GUARD", fmt.Sprint(at.guard), "$KEYS", at.keys)
	for _, file := range txtar.Parse(written).Files {
		if file.Name != "mesh" && file.Name != p.name {
			continue
		}
		for document := range strings.SplitSeq(fill.Replace(string(file.Data)), "\n---") {
			body, err := yaml.YAMLToJSON([]byte(document))
			if err != nil {
				return nil, fmt.Errorf("policies.txtar, %s: %w", file.Name, err)
			}
			o, err := api.Decode(body)
			if err != nil {
				return nil, fmt.Errorf("policies.txtar, %s: %w", file.Name, err)
			}
			all = append(all, o)
		}
	}
	return all, nil
}

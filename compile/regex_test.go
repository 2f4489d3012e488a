package compile

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"weft.dev/model"
	"weft.dev/test/envoytest"
)

// What checkRegex lets through is what Envoy takes: known traps, and random
// patterns near the limits.
func TestEnvoyTakesRegexes(t *testing.T) {
	patterns := []string{
		`\p{Letter}`, `\p{ASCII}`, `\p{greek}`, `\p{^Greek}`, `\P{Lu}`, `\pL`, `[\pN]{3}`, `\p{Any}`, `\p{Cn}`, `\p{Nag_Mundari}`, `\x{10FFFF}`, `\x{100}`, `\x{0ff}`,
		`[^\x00-\x{10FFFF}]`, `(?<n>a)`, `(?P<n>a)`, `\C`, `\z`, `\Qa.b\E`, `[[:word:]]`, `é{40}`, `[é-ü]`, `(?i)é`, `a{84}`, `a{97}`, `.{45}`, `.{49}`, `[^/]{45}`, `[^/]{49}`, `(|a)*`, `\8`, `x{2}{3}`,
	}
	for _, names := range []map[string]*unicode.RangeTable{unicode.Scripts, unicode.Categories} {
		for name := range names {
			patterns = append(patterns, `\p{`+name+`}`)
		}
	}
	random := rand.New(rand.NewPCG(1, 0))
	for range 400 {
		patterns = append(patterns, randomPattern(random, 1+random.IntN(2)))
	}
	table := model.RouteTable{Object: model.Key{Kind: "VirtualService", Namespace: "shop", Name: "x"}, Hosts: []string{"a.shop.svc.cluster.local"}}
	for i, p := range patterns {
		table.Rules = append(table.Rules, model.Rule{Name: fmt.Sprint(i), Matches: []model.Match{{Path: model.StringMatch{Regex: p}}}, Direct: &model.DirectResponse{Status: 200}})
	}
	r := rows{
		Services:    []model.Service{{Namespace: "shop", Name: "a", Ports: []model.Port{{Number: 80, Protocol: model.HTTP}}}},
		Workloads:   []model.Workload{{Namespace: "shop", Name: "w", App: "w", Address: "127.0.0.1", Outbound: 15001}},
		RouteTables: []model.RouteTable{table},
	}
	r.fill()
	m := newMesh()
	m.set(r)
	validate(t, envoytest.Binary(t), m.viewOf(t, "shop/w"))
	if refused := m.Problems.Len(); refused < 10 || refused > len(patterns)/2 {
		t.Errorf("%d of %d patterns are refused: the test says little", refused, len(patterns))
	}
}

func randomPattern(r *rand.Rand, depth int) string {
	atoms := []string{"a", "é", ".", `\d`, `\w`, "[^/]", "[a-z0-9]", `\.`, "(?i:k)", `\pL`, `\x{e9}`, "[^é]", "^", "$", `\b`, "/"}
	if depth == 0 {
		return atoms[r.IntN(len(atoms))]
	}
	var b strings.Builder
	for range 1 + r.IntN(4) {
		part := randomPattern(r, depth-1)
		switch r.IntN(6) {
		case 0:
			part = "(" + part + ")" + []string{"*", "+", "?", "*?"}[r.IntN(4)]
		case 1:
			part = fmt.Sprintf("(?:%s){%d,%d}", part, r.IntN(4), 4+r.IntN(4))
		case 2:
			part = "(" + part + "|" + randomPattern(r, depth-1) + ")"
		}
		b.WriteString(part)
	}
	return b.String()
}

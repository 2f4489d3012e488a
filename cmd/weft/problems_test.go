package main

import (
	"fmt"
	"strings"
	"testing"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
)

// What several proxies refuse is the problem of the objects that all of them suspect, once each.
func TestRefusalIsOfItsCause(t *testing.T) {
	g := flow.New(flow.Options{})
	proxies := flow.NewSource[model.Proxy](g, "proxies")
	problems := refusals(proxies.Collection)
	route, service, other := model.Key{Kind: "VirtualService", Name: "r"}, model.Key{Kind: "Service", Name: "s"}, model.Key{Kind: "Service", Name: "o"}
	refuse := func(proxy string, from ...model.Key) {
		g.Commit(func(tx *flow.Tx) {
			proxies.Set(tx, model.Proxy{ID: proxy, Refusals: []model.Refusal{{Type: "VirtualHost", Name: "h", Version: 1, From: from, Reason: "no"}}})
		})
	}
	for _, step := range []struct {
		proxy string
		from  []model.Key
		want  string
	}{
		{"p", []model.Key{route, service}, "[Service s: proxy p refused VirtualHost h and keeps what it had: no VirtualService r: proxy p refused VirtualHost h and keeps what it had: no]"},
		{"q", []model.Key{route}, "[VirtualService r: proxy p and 1 more refused VirtualHost h and keeps what it had: no]"},
		{"q", []model.Key{other}, "[Service o: proxy p and 1 more refused VirtualHost h and keeps what it had: no " +
			"Service s: proxy p and 1 more refused VirtualHost h and keeps what it had: no VirtualService r: proxy p and 1 more refused VirtualHost h and keeps what it had: no]"},
	} {
		refuse(step.proxy, step.from...)
		var got []string
		for _, p := range problems.All() {
			got = append(got, p.Object.String()+": "+p.Message)
		}
		if fmt.Sprint(got) != step.want {
			t.Errorf("%s suspects %v:\n%v, want\n%s", step.proxy, step.from, got, step.want)
		}
	}
}

// Who writes a pipeline into a file is told that nothing runs it.
func TestFilesDoNotRun(t *testing.T) {
	g := flow.New(flow.Options{})
	files := flow.NewSource[api.Object](g, "files")
	problems := idle(files.Collection)
	g.Commit(func(tx *flow.Tx) {
		for _, kind := range []api.Kind{api.Application, api.TrafficSplit, api.Pipeline, api.PipelineRun, api.Release, api.Decision} {
			files.Set(tx, api.Object{Kind: kind, Namespace: "shop", Name: "x"})
		}
	})
	var got []string
	for _, p := range problems.All() {
		got = append(got, p.Object.String()+" "+p.Code)
	}
	if want := "[Decision shop/x NotHonoured Pipeline shop/x NotHonoured PipelineRun shop/x NotHonoured Release shop/x NotHonoured]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// What Envoy says last is what is wrong, after the whole resource.
func TestAReasonIsOneLine(t *testing.T) {
	if got := brief("a:\n  b\t c"); got != "a: b c" {
		t.Errorf("%q", got)
	}
	got := brief("Error adding cluster:\n" + strings.Repeat("field: 1\n", 1000) + "Sni: too long")
	if len(got) > reasonHead+reasonTail+10 || !strings.HasPrefix(got, "Error adding cluster: ") || !strings.HasSuffix(got, " Sni: too long") {
		t.Errorf("%d bytes: %q", len(got), got)
	}
}

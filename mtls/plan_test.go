package mtls

import (
	"strings"
	"testing"
	"time"

	"weft.dev/metrics"
	"weft.dev/model"
)

var now = time.Unix(10_000, 0)

// world has web, which calls api by its proxy, and all that a case changes.
func world() Facts {
	workload := func(name string, i model.Interception, address string) model.Replicas {
		return model.Single(model.Workload{Namespace: "shop", Name: name + "-1", App: name, Labels: map[string]string{"app": name}, Address: address,
			Interception: i, Ports: []model.WorkloadPort{{Number: 80, Protocol: model.HTTP, ProxyPort: 1, AppPort: 2}}})
	}
	return Facts{
		Now: now, Quiet: 10 * time.Minute,
		Services: []model.Service{
			{Host: model.HostOf("shop", "api"), Namespace: "shop", Name: "api", Resolution: model.ByWorkload, Selector: map[string]string{"app": "api"}, Ports: []model.Port{{Number: 80}}},
		},
		Replicas: []model.Replicas{workload("api", "", "10.0.0.1"), workload("web", "", "10.0.0.2"), workload("old", model.NoProxy, "10.0.0.3")},
		Mode:     func(model.Workload, uint32) (model.MTLSMode, []model.Key) { return model.MTLSPermissive, nil },
		Told:     func(string) []model.Key { return nil },
		Used:     []metrics.Used{{Source: metrics.End{Namespace: "shop", App: "web"}, Cluster: model.ClusterName(model.HostOf("shop", "api"), 80, ""), Last: now}},
		Watched:  func(string) (time.Time, bool) { return now.Add(-time.Hour), true },
		Current:  func(string) bool { return true },
	}
}

func from(address string, ago time.Duration, refused bool) metrics.StrangerCalls {
	return metrics.StrangerCalls{
		Stranger: metrics.Stranger{To: metrics.End{Namespace: "shop", App: "api"}, Port: 80, Address: address, Refused: refused},
		Calls:    3, Last: now.Add(-ago),
	}
}

func TestStates(t *testing.T) {
	rule := []model.Key{{Kind: "DestinationRule", Namespace: "shop", Name: "api"}}
	strict := func(model.Workload, uint32) (model.MTLSMode, []model.Key) { return model.MTLSStrict, nil }
	for name, c := range map[string]struct {
		change func(*Facts)
		state  State
		why    string
	}{
		"nobody in plain text":       {func(*Facts) {}, Ready, ""},
		"somebody outside":           {func(f *Facts) { f.Strangers = []metrics.StrangerCalls{from("192.0.2.1", time.Minute, false)} }, Plain, "192.0.2.1 calls in plain text, last 1m0s ago: no workload of the mesh"},
		"a workload without proxy":   {func(f *Facts) { f.Strangers = []metrics.StrangerCalls{from("10.0.0.3", 0, false)} }, Plain, "shop/old-1, without a proxy"},
		"one past its proxy":         {func(f *Facts) { f.Strangers = []metrics.StrangerCalls{from("10.0.0.2", 0, false)} }, Plain, "shop/web-1, past its proxy"},
		"too many to tell apart":     {func(f *Facts) { f.Strangers = []metrics.StrangerCalls{from("", 0, false)} }, Plain, "somebody calls in plain text"},
		"long ago":                   {func(f *Facts) { f.Strangers = []metrics.StrangerCalls{from("192.0.2.1", time.Hour, false)} }, Ready, ""},
		"told to":                    {func(f *Facts) { f.Told = func(string) []model.Key { return rule } }, Plain, "DestinationRule shop/api tells callers to call without mTLS"},
		"an agent that says nothing": {func(f *Facts) { f.Watched = func(string) (time.Time, bool) { return time.Time{}, false } }, Unknown, "does not say who calls"},
		"watched for too short":      {func(f *Facts) { f.Watched = func(string) (time.Time, bool) { return now.Add(-time.Minute), true } }, Unknown, "watched for 1m0s, of 10m0s"},
		"not called":                 {func(f *Facts) { f.Used = nil }, Unknown, "nobody called it"},
		"not called, which will do":  {func(f *Facts) { f.Used, f.Idle = nil, true }, Ready, ""},
		"a caller that lags":         {func(f *Facts) { f.Current = func(w string) bool { return w != "shop/web-1" } }, Unknown, "shop/web-1 calls it, and its proxy has not acknowledged"},
		"one that lags itself":       {func(f *Facts) { f.Current = func(w string) bool { return w != "shop/api-1" } }, Unknown, "shop/api-1: its proxy does not hold the newest"},
		"somebody's policy": {func(f *Facts) {
			f.PeerAuths = []model.PeerAuth{{Object: model.Key{Kind: "PeerAuthentication", Namespace: "shop", Name: "old"}, Namespace: "shop", Selector: map[string]string{"app": "api"}}}
		}, Decided, "PeerAuthentication shop/old selects its workloads"},
		"strict":   {func(f *Facts) { f.Mode = strict }, Strict, ""},
		"no proxy": {func(f *Facts) { f.Replicas[0].Interception = model.NoProxy }, Without, "none of its instances has a proxy"},
	} {
		f := world()
		c.change(&f)
		p := New(f)
		if len(p.Services) != 1 || p.Services[0].State != c.state || !strings.Contains(strings.Join(p.Services[0].Why, "; "), c.why) {
			t.Errorf("%s: %+v, want %s %q", name, p.Services, c.state, c.why)
		}
	}
}

// What was refused is known once, whoever of many it was.
func TestRefused(t *testing.T) {
	f := world()
	f.Strangers = []metrics.StrangerCalls{from("", 0, true), from("192.0.2.1", 0, true)}
	if s := New(f).Services[0]; s.Refused != 3 || s.State != Ready || len(s.Edges) != 2 || s.Edges[1].Transport != Refused {
		t.Errorf("%+v", s)
	}
}

// Services with fewer callers come first, and those that are strict last.
func TestOrder(t *testing.T) {
	f := world()
	for _, name := range []string{"db", "zoo"} {
		r := f.Replicas[0]
		r.App, r.Labels = name, map[string]string{"app": name}
		f.Replicas = append(f.Replicas, r)
		s := f.Services[0]
		s.Host, s.Name, s.Selector = model.HostOf("shop", name), name, r.Labels
		f.Services = append(f.Services, s)
	}
	f.Idle = true
	f.Mode = func(w model.Workload, _ uint32) (model.MTLSMode, []model.Key) {
		if w.App == "db" {
			return model.MTLSStrict, nil
		}
		return model.MTLSPermissive, nil
	}
	var order []string
	for _, s := range New(f).Services {
		order = append(order, s.Name)
	}
	if got := strings.Join(order, " "); got != "zoo api db" {
		t.Errorf("order %s", got)
	}
}

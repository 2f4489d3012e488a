package main

import (
	"context"
	"errors"
	"log/slog"
	"maps"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	"weft.dev/source/folder"
)

// rehearsal is a mesh that a folder would make, with nobody in it.
type rehearsal struct {
	street
	written  []api.Object // with the place of each
	problems []model.Problem
	fetched  *fetched
}

// rehearse makes it; an empty dir is an empty folder.
func rehearse(ctx context.Context, dir string, options streetOptions, log *slog.Logger) (*rehearsal, error) {
	objects, problems, err := readFolder(ctx, dir, log)
	if err != nil {
		return nil, err
	}
	graph := flow.New(flow.Options{})
	source := flow.NewSource[api.Object](graph, "objects")
	played := flow.NewSource[model.Workload](graph, "played workloads")
	named := newFetched(graph)
	if options.alone {
		options.keySets, options.modules = named.keySets.Collection, named.modules.Collection
	}
	s := newStreet(graph, source.Collection, options, played)
	graph.Commit(func(tx *flow.Tx) {
		for _, o := range objects {
			source.Set(tx, withoutPlace(o))
		}
	})
	all := s.played()
	graph.Commit(func(tx *flow.Tx) {
		for _, w := range all {
			played.Set(tx, w)
		}
	})
	problems = append(problems, s.rows.Problems.All()...)
	return &rehearsal{s, objects, append(problems, s.compiled.Problems.All()...), named}, nil
}

// readFolder reads a folder once, as `weft serve --config` does.
func readFolder(ctx context.Context, dir string, log *slog.Logger) ([]api.Object, []model.Problem, error) {
	if dir == "" {
		return nil, nil, nil
	}
	source := folder.New(dir, flow.New(flow.Options{}), log)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- source.Run(ctx) }()
	defer cancel()
	select {
	case err := <-ended:
		return nil, nil, err
	case <-source.Synced():
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return nil, nil, err
	}
	return source.All(), source.Problems.All(), nil
}

// withoutPlace is an object of which nobody knows where it is written: a line
// that moved, or another name of the folder, is no change.
func withoutPlace(o api.Object) api.Object {
	o.Annotations = maps.Clone(o.Annotations)
	delete(o.Annotations, api.SourceAnnotation)
	delete(o.Annotations, api.LinesAnnotation)
	return o
}

// played are proxies that the folder speaks of and that did not register in it:
// one for each Application, and for each app that a Scope or Sidecar names, and
// one for each gateway.
func (s street) played() map[string]model.Workload {
	all := map[string]model.Workload{}
	play := func(namespace, app string) {
		if namespace != "" && app != "" {
			w := callerRow(namespace, app, app, model.DefaultOutbound)
			all[w.Key()] = w
		}
	}
	for _, o := range s.objects.All() {
		if o.Kind == api.Application {
			play(o.Namespace, o.Name)
		}
	}
	for _, d := range s.rows.Declared.All() {
		play(d.Namespace, d.Account)
	}
	for _, e := range s.rows.Egresses.All() {
		play(e.Namespace, e.Selector["app"])
	}
	for _, g := range s.rows.Gateways.All() {
		w := gatewayRow(g)
		all[w.Key()] = w
	}
	for _, w := range s.rows.Replicas.All() {
		delete(all, w.Namespace+"/"+w.App)
	}
	return all
}

// gatewayRow is a proxy that is a gateway.
func gatewayRow(g model.Gateway) model.Workload {
	w := callerRow(g.Object.Namespace, model.GatewayApp(g.Object.Name), "", 0)
	w.Gateway, w.Labels = g.Object.Name, maps.Clone(g.Selector)
	if g.Proxy != "" {
		w.Gateway = g.Proxy
	}
	for _, l := range g.Listeners {
		if _, has := w.Port(l.Port); !has {
			w.Ports = append(w.Ports, model.WorkloadPort{Number: l.Port, Protocol: model.HTTP, ProxyPort: l.Port})
		}
	}
	return w
}

package main

import (
	"context"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/model"
	hosted "weft.dev/release/provider/host"
	"weft.dev/release/provider/kubernetes"
	"weft.dev/scope"
	"weft.dev/scope/memory"
	"weft.dev/source/host"
	objectsource "weft.dev/source/store"
	"weft.dev/store"
	"weft.dev/translate/join"
	"weft.dev/web"
)

// front is where the objects of a mesh live, and where what is found of them goes.
type front struct {
	name      string        // of a front of files: what people call it
	commit    func() string // of the repository that is served; nil: there is none
	objects   *flow.Collection[api.Object]
	pods      *flow.Collection[model.Pod]            // nil: there is no Kubernetes
	cluster   host.Cluster                           // that they are of
	callers   *callers                               // of the mesh port, if one may have to go to another server
	addresses *flow.Collection[model.GatewayAddress] // nil: gateways are where their proxies are
	problems  *flow.Collection[model.Problem]        // of what could not be read, or is missing in mass
	synced    <-chan struct{}                        // closed once everything that there was is committed
	settles   time.Duration                          // after that its own start-up work goes on for so long
	workloads host.Workloads
	runs      *kubernetes.Provider // starts and stops versions where the resources are; nil: nobody does
	hosted    *hosted.Provider     // the same on hosts; nil: nobody does
	memory    scope.Memory         // of what proxies learned to call
	// namespaces makes those that are missing.
	namespaces func(names []string) error
	// tell has people told of problems. It is part of the wiring.
	tell func(*flow.Collection[model.Problem])
	// state has statuses say what the Gateway API wants; nil: there are none.
	state func(*flow.Collection[join.Status])
	// duties are its own among those that one of several servers does; nil: none.
	duties func(context.Context) error
	run    func(context.Context) error
	// vouched says since when names in what people write are true, or why they are not; nil: they always were.
	vouched func(ctx context.Context) (since time.Time, why string)
	// lead runs what one of several servers has to do, while it is this one.
	lead func(ctx context.Context, duties func(context.Context) error) error
	// leading reports whether it is this one. Files have nothing that leads.
	leading func() bool
}

// storeFront is an API server: problems end in the statuses of their objects.
func storeFront(client *store.Client, graph *flow.Graph, log *slog.Logger) front {
	objects := objectsource.New(client, graph, kinds()...)
	statuses := store.NewStatusWriter(client, time.Now, log)
	logProblems(objects.Problems.Collection, log)() // no object is there to have them in its status
	return front{
		objects:    objects.Collection,
		problems:   objects.Problems.Collection,
		synced:     objects.Synced(),
		settles:    8 * time.Second,
		workloads:  newWorkloads(client),
		hosted:     newHosted(client, log),
		memory:     memory.NewStore(client),
		namespaces: func(names []string) error { return ensureNamespaces(client, names) },
		tell:       func(all *flow.Collection[model.Problem]) { writeProblems(all, statuses) },
		state:      func(all *flow.Collection[join.Status]) { writeStatuses(all, statuses) },
		duties:     statuses.Run,
		lead:       alone,
		leading:    func() bool { return true },
		run:        objects.Run,
	}
}

// kinds are those that the mesh is made of; releases and pipelines watch theirs themselves.
func kinds() []api.Kind {
	var all []api.Kind
	for _, info := range api.Kinds() {
		switch info.Kind {
		case api.Release, api.Pipeline, api.PipelineRun, api.Decision, api.Blob, api.Version, api.HostVersion, api.Freeze:
		default:
			all = append(all, info.Kind)
		}
	}
	return all
}

// storeTimeout bounds what a question may wait for the store.
const storeTimeout = 10 * time.Second

// ensureNamespaces makes the namespaces that a machine will put workloads in.
func ensureNamespaces(client *store.Client, names []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	namespaces := store.For[corev1.Namespace](client, api.Namespace)
	for _, name := range names {
		_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		if store.IsInvalid(err) {
			return web.Invalid("namespace %q: %w", name, err)
		}
		if err != nil && !store.IsExists(err) {
			return err
		}
	}
	return nil
}

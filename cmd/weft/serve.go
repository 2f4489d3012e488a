package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"weft.dev/agent/notify"
	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/release/instances"
	"weft.dev/source/git"
	"weft.dev/store"
	"weft.dev/store/serve"
)

// serveFlags are what `weft serve` can be told.
type serveFlags struct {
	data         string
	config       string      // a folder of resources; empty: there is an API server
	git          git.Options // the same in a repository
	kube         bool        // the resources are in a Kubernetes cluster
	kubeconfig   string      // of that cluster; empty: the one that this is a pod of
	injection    string      // with kube: file of inject.Options; empty: no pod gets a proxy
	webhook      string      // where the API server asks for injection
	fetch        fetchFlags
	webhookAllow []net.IPNet // addresses that pipelines and their triggers may reach beside public ones
	hooks        hookFlags
	ui           uiFlags
	providers    map[string]string             // addresses of providers of instances, by name
	named        map[string]instances.Provider // the same, once they are dialled
	plaintext    string                        // where proxies come without TLS; empty: nowhere
	bake         bakeFlags                     // what bake stages of pipelines may do
	listen       string
	mesh         string
	trustDomain  string
	metrics      metricsFlags
	traces       tracesFlags
	limits       limitFlags
	audit        string // whether a person's change that cannot be recorded is refused
	verbose      bool
}

func newServe() *cobra.Command {
	var flags serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the control plane: API server, certificate authority, xDS, releases",
		Long: `Run the whole control plane in one process: a Kubernetes-style API server over an embedded etcd, the
certificate authority, xDS for every Envoy, and the releases. Everything lives in the data directory;
kill it at any time and start it again.

When it is ready, DATA/admin.kubeconfig is written: kubectl and every command of weft use it.

With --kube, the resources are in a Kubernetes cluster, and its pods are workloads: this is how weft runs in a cluster,
where ` + "`weft install`" + ` puts it. Several replicas may run.

With --config, the resources are the files of a folder, which is watched, and there is no API server: neither kubectl
nor releases. Commands that ask then take --server http://LISTEN.

With --git, they are the files of a branch or tag of a Git repository: each commit that it comes to name is in effect,
whole. The git of this machine fetches it, with its credential helpers and proxies. What was served last is on disk: it
stays in effect, also over a restart, while the repository does not answer or its newest commit cannot be read.`,
		Example: "  weft serve --data ~/.weft\n  KUBECONFIG=~/.weft/admin.kubeconfig kubectl get applications\n  weft serve --config ./mesh --xds-plaintext 127.0.0.1:15010\n  weft serve --git https://git.example.com/mesh.git --git-dir deploy",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return serveMesh(c.Context(), flags)
		},
	}
	c.Flags().StringVar(&flags.data, "data", identity.DataDir(), "folder for all state")
	c.Flags().StringVar(&flags.config, "config", "", "folder of resources (*.yaml, *.yml, *.json, *.jsonnet), instead of an API server")
	c.Flags().BoolVar(&flags.kube, "kube", false, "serve the Kubernetes cluster that this is a pod of, instead of an API server of its own")
	c.Flags().StringVar(&flags.kubeconfig, "cluster-kubeconfig", "", "with --kube: kubeconfig of the cluster, outside of it")
	c.Flags().StringVar(&flags.injection, "injection", "", "with --kube: file that says what proxy pods get; none: injection is not served")
	c.Flags().StringVar(&flags.webhook, "webhook", ":7445", "with --injection: host:port where the API server asks")
	c.Flags().StringVar(&flags.git.URL, "git", "", "URL of a Git repository of resources, instead of an API server")
	c.Flags().StringVar(&flags.git.Ref, "git-ref", "main", "with --git: the branch or tag that is in effect")
	c.Flags().StringVar(&flags.git.Dir, "git-dir", "", "with --git: the folder of the repository that has the resources (default: all of it)")
	c.Flags().DurationVar(&flags.git.Interval, "git-interval", 30*time.Second, "with --git: how often the repository is asked")
	c.MarkFlagsMutuallyExclusive("kube", "config", "git")
	c.Flags().StringVar(&flags.plaintext, "xds-plaintext", "", "host:port on loopback where an Envoy without agent gets its configuration, without TLS")
	c.Flags().StringToStringVar(&flags.providers, "provider", nil, "NAME=ADDRESS of a program that runs versions of applications: unix:/PATH, or a loopback address with a port (repeatable; docs/guides/providers.md)")
	flags.bake.add(c)
	flags.metrics.add(c)
	flags.traces.add(c)
	flags.limits.add(c)
	c.Flags().IPNetSliceVar(&flags.webhookAllow, "webhook-allow", nil, "addresses, such as 10.1.0.0/16, that webhooks of pipelines, registries and repositories may be at, beside public ones (repeatable)")
	c.Flags().StringVar(&flags.hooks.address, "hooks", "", "host:port where forges and others deliver to triggers of pipelines, and nothing else is served; none: nowhere")
	c.Flags().StringVar(&flags.hooks.certificate, "hooks-certificate", "", "with --hooks: file with the certificate for TLS; none: something before it ends TLS")
	c.Flags().StringVar(&flags.hooks.key, "hooks-key", "", "with --hooks: file with the certificate's key")
	c.Flags().StringVar(&flags.hooks.slack, "hooks-slack", "", "with --hooks: NAMESPACE/NAME of the Secret by which buttons in Slack judge, at /slack: signingSecret of the app, and people, a YAML map of Slack's user ids to {name, groups}")
	flags.fetch.add(c)
	flags.fetch.addPace(c)
	flags.ui.add(c)
	c.Flags().StringVar(&flags.listen, "listen", "127.0.0.1:7443", "host:port of the API, for kubectl and weft")
	c.Flags().StringVar(&flags.mesh, "mesh", "127.0.0.1:7444", "host:port that agents connect to")
	c.Flags().StringVar(&flags.trustDomain, "trust-domain", "cluster.local", "trust domain of the mesh's identities; fixed for the life of the data")
	c.Flags().StringVar(&flags.audit, "audit", auditRequired, "what happens to people's changes that DATA/audit.jsonl cannot record: required (refused) or best-effort (made, and logged)")
	c.Flags().BoolVarP(&flags.verbose, "verbose", "v", false, "log what is done, not only what is wrong")
	return c
}

func serveMesh(ctx context.Context, flags serveFlags) error {
	notify.Claim() // the API server's library would say ready before agents can come
	paceCollector()
	level := slog.LevelWarn
	if flags.verbose {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(io.MultiWriter(os.Stderr, &logged), &slog.HandlerOptions{Level: level}))
	if flags.plaintext != "" && !isLoopback(flags.plaintext) {
		return exitCode{exitUsage, fmt.Errorf("--xds-plaintext %s: whoever reaches it can read every proxy's configuration, so it is served on loopback only: use 127.0.0.1:PORT", flags.plaintext)}
	}
	if err := flags.hooks.check(flags); err != nil {
		return err
	}
	if err := flags.ui.check(flags); err != nil {
		return exitCode{exitUsage, err}
	}
	if err := errors.Join(flags.metrics.check(), flags.traces.check(), flags.limits.check(), flags.fetch.check()); err != nil {
		return err
	}
	var err error
	if flags.named, err = dialProviders(flags.providers); err != nil {
		return err
	}
	if flags.kube {
		return runKube(ctx, flags, log)
	}
	if flags.config != "" || flags.git.URL != "" {
		return runFiles(ctx, flags, log)
	}
	return runServer(ctx, flags, log)
}

func runServer(ctx context.Context, flags serveFlags, log *slog.Logger) error {
	authority, err := openAuthority(filepath.Join(flags.data, "ca"), flags.trustDomain)
	if err != nil {
		return err
	}
	var people http.Handler // set before the server runs
	var rules wishes        // the same
	record, err := auditTo(flags.data, flags.audit, log)
	if err != nil {
		return err
	}
	api, err := serve.New(ctx, serve.Options{
		Audit: record,
		Rules: func(ctx context.Context, w serve.Wish) error { return rules.refuse(ctx, w) },
		Dir:   flags.data, Listen: flags.listen, Log: log,
		Extra: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { people.ServeHTTP(w, r) }),
	})
	if err != nil {
		return err
	}
	client, err := store.NewClient(api.Config())
	if err != nil {
		return err
	}
	rules = newWishes(client)
	graph := flow.New(flow.Options{KeepLastGood: true})
	m := newMesh(graph, storeFront(client, graph, log), authority, flags, log)
	m.record = record
	m.releases = m.newReleases(client)
	if err := m.runPipelines(client, flags); err != nil {
		return err
	}
	people = m.people(flags, flags.mesh)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return api.Run(ctx) })
	group.Go(func() error {
		select {
		case <-api.Ready():
		case <-ctx.Done():
			return ctx.Err()
		}
		if flags.ui.address != "" {
			gate := ownGate{api, serve.NewKey()}
			group.Go(func() error { return flags.ui.serve(ctx, gate, newMemoryBook()) })
		}
		go m.announce(ctx, fmt.Sprintf("weft serves at %s, agents join at %s; kubeconfig %s", api.URL(), flags.mesh, api.Kubeconfig()))
		return m.run(ctx, flags)
	})
	if err := group.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// stopGrace is how long streams may take to end when the server stops.
const stopGrace = time.Second

// serveGRPC serves a port, which a flag names, until ctx ends; listening is
// called when connections are taken, which from, if not nil, can end.
func serveGRPC(ctx context.Context, server *grpc.Server, address, flag string, listening func(), from *callers) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("%s %s: %w; choose another one", flag, address, err)
	}
	if from != nil {
		listener = from.listener(listener)
	}
	listening()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		timer := time.AfterFunc(stopGrace, server.Stop)
		defer timer.Stop()
		server.GracefulStop()
	}()
	if err := server.Serve(listener); err != nil {
		return err
	}
	<-stopped
	return nil
}

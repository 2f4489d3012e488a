package agent

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weft.dev/agent/envoy"
	"weft.dev/agent/health"
	"weft.dev/agent/notify"
	"weft.dev/agent/poll"
	"weft.dev/agent/relay"
	"weft.dev/identity"
	"weft.dev/model"
)

const (
	// DefaultDrain is how long a leaving workload still answers: until every
	// proxy knows, and what is under way has ended.
	DefaultDrain = 3 * time.Second

	// DefaultHandover is Envoy's own.
	DefaultHandover = 10 * time.Minute

	confirmWait   = 2 * time.Second  // for the server's word that nobody is sent here any more
	lastWait      = 20 * time.Second // for callers of a gateway that leave once they are answered
	leaveWait     = time.Second      // for its word that the workload is removed
	readyInterval = 100 * time.Millisecond
	sayInterval   = 10 * time.Second // while something is waited for
	scrape        = time.Second
	maxMessage    = 64 << 20 // of configuration
)

// Options are what Run needs to know.
type Options struct {
	Dir     string // of this workload alone; made when needed
	HostDir string // what Join wrote
	Server  string // host:port; empty: the one that was joined
	Pod     *Pod   // nil: the machine has joined
	// Published is where the configuration is, where no server has it; nil: a server has.
	// Who asks and what becomes of it is the agent's to fill in.
	Published *poll.Options
	// Registration is the workload. Ports that are 0 are picked, once for all.
	Registration model.Registration
	Command      []string            // the application; none: a gateway, or an application that runs already
	User         *syscall.Credential // of the application; nil: ours
	Redirection  Redirection         // of the application; nil: it is told of its proxy
	Health       health.Check
	Envoy        string // path of a binary; empty: the pinned one
	Concurrency  int    // Envoy's threads; 0: see envoy.Threads
	Heap         uint64 // Envoy's memory, bytes; 0: envoy.DefaultHeap
	Metrics      string // host:port where a Prometheus reads what Envoy counted; port 0: a free one; empty: nowhere
	Drain        time.Duration
	Handover     time.Duration    // in which an Envoy that is replaced closes its connections; 0: DefaultHandover
	Signals      <-chan os.Signal // SIGHUP replaces Envoy, others are for the application; may be nil
	Stdout       io.Writer        // of the application; nil: ours
	Stderr       io.Writer
	Log          *slog.Logger
}

// agent is one running workload.
type agent struct {
	Options
	files      identity.Dir
	sockets    string
	home       home
	relay      *relay.Service
	spans      spans
	limits     *limits
	scraped    net.Listener // of Metrics; nil: there is none
	admin      *envoy.Admin
	tap        *tap
	full       full
	health     atomic.Value  // model.Health
	leaveEnvoy func()        // ends what serveEnvoy began
	upgrade    chan struct{} // Envoy is to be replaced
	ready      atomic.Bool   // Envoy has served
}

// Run runs a workload until ctx ends or its application does, and returns the
// application's exit code. When ctx ends the workload is drained first.
func Run(ctx context.Context, o Options) (code int, err error) {
	a, unlock, err := prepare(&o)
	if err != nil {
		return 1, err
	}
	defer unlock()
	if a.Redirection != nil {
		if err := a.Redirection.Begin(a.Registration.OutboundPort); err != nil {
			return 1, err
		}
		defer a.endRedirection()
	}
	binary, err := envoy.Find(ctx, o.Envoy, o.Log)
	if err != nil {
		return 1, err
	}
	upstream, err := a.home.open(ctx)
	if err != nil {
		return 1, err
	}
	defer upstream.Close()
	a.limits.conn = upstream
	defer a.limits.close()
	// What runs beside the application outlives ctx: it is needed to drain.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	process, err := a.process(binary)
	if err != nil {
		return 1, err
	}
	defer func() { a.leaveEnvoy() }() // the one of the newest Envoy
	broken := make(chan error, 1)
	envoying, stopEnvoy := context.WithCancel(background)
	stopped := make(chan struct{})
	running.Go(func() { broken <- process.Run(envoying); close(stopped) })
	defer func() { stopEnvoy(); <-stopped }() // before the streams that it lives on
	running.Go(func() { a.relay.RunUpstream(background, upstream) })
	running.Go(func() { a.relay.RunCache(background) })
	running.Go(func() {
		ticker := time.NewTicker(relay.AskBound / 2)
		defer ticker.Stop()
		a.relay.RunTicks(background, ticker.C)
	})
	running.Go(func() { a.home.run(background) })
	running.Go(func() { newFileSecrets(a.relay, a.Log).run(background) })
	running.Go(func() { a.report(background) })
	if o.Pod != nil {
		running.Go(func() { a.answerKubelet(background) })
	}
	if a.scraped != nil {
		running.Go(func() { a.answerScrapes(background) })
	}
	return a.live(ctx, broken)
}

// prepare takes the folder into use.
func prepare(o *Options) (a *agent, unlock func(), err error) {
	notify.Claim() // it is not the application's
	if o.Drain == 0 {
		o.Drain = DefaultDrain
	}
	if o.Handover == 0 {
		o.Handover = DefaultHandover
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	if o.Stderr == nil {
		o.Stderr = os.Stderr
	}
	if o.Concurrency == 0 {
		o.Concurrency = envoy.Threads(os.DirFS("/"))
	}
	if o.Redirection != nil {
		o.Registration.Redirected, o.Registration.DualStack = true, hasIPv6()
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, nil, err
	}
	unlockDir, err := exclusive(o.Dir)
	if err != nil {
		return nil, nil, err
	}
	var held claims
	release := func() { held.close(); unlockDir() }
	defer func() {
		if err != nil {
			release()
		}
	}()
	a = &agent{Options: *o, files: identity.Dir(o.Dir), upgrade: make(chan struct{}, 1), leaveEnvoy: func() {}}
	a.health.Store(model.Unhealthy)
	if a.sockets, err = socketDir(o.Dir); err != nil {
		return nil, nil, err
	}
	a.relay = relay.Open(relay.Cache{Files: a.files}, o.Log)
	a.admin = envoy.NewAdmin(a.socket("admin.sock"))
	a.full.set = a.relay.SetFull
	a.limits = newLimits(o.Registration.Namespace + "/" + o.Registration.Name)
	a.tap = newTap(a.admin.Tap, func(model.Tapped) bool { return false }, o.Log)
	if err := a.listenForScrapes(&held); err != nil {
		return nil, nil, err
	}
	if a.home, err = a.newHome(&held); err != nil {
		return nil, nil, err
	}
	return a, release, nil
}

// exclusive keeps a second agent out of the folder.
func exclusive(dir string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		file.Close()
		return nil, fmt.Errorf("%s: another agent uses this folder: stop it, or give this workload another name", dir)
	}
	err = file.Truncate(0)
	if err == nil {
		_, err = file.WriteString(strconv.Itoa(os.Getpid())) // for who asks: see running
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil
}

func (a *agent) path(name string) string   { return filepath.Join(a.Dir, name) }
func (a *agent) socket(name string) string { return filepath.Join(a.sockets, name) }

// account is whom the workload's identity names.
func (a *agent) account() string {
	r := a.Registration
	return model.Workload{ServiceAccount: r.ServiceAccount, App: r.App, Gateway: r.Gateway}.Account()
}

// live is the workload's life: ready, serving, drained.
func (a *agent) live(ctx context.Context, broken <-chan error) (int, error) {
	defer a.home.leave()
	if err := a.awaitEnvoy(ctx, broken); err != nil || ctx.Err() != nil {
		return 1, err
	}
	if len(a.Command) == 0 {
		a.tell(notify.Ready)
		return 0, a.serve(ctx, nil, broken)
	}
	app, err := a.startApp()
	if err != nil {
		return 127, err
	}
	defer app.stop()
	a.tell(notify.Ready)
	if err := a.serve(ctx, app, broken); err != nil {
		return 1, err
	}
	app.stop()
	return app.code, nil
}

func (a *agent) endRedirection() {
	if err := a.Redirection.End(); err != nil {
		a.Log.Error("redirection is not taken back; it leads nobody but the application, which has ended", "why", err)
	}
}

// awaitEnvoy waits until Envoy listens where this workload needs it.
func (a *agent) awaitEnvoy(ctx context.Context, broken <-chan error) error {
	ports := a.needs()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for began, said := time.Now(), time.Now(); !a.admin.Ready(ctx, ports); {
		if time.Since(said) > sayInterval {
			said = time.Now()
			a.sayWaiting(ctx, ports, time.Since(began))
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-broken:
			return err
		case <-tick.C:
		}
	}
	a.ready.Store(true)
	a.Log.Info("Envoy is ready")
	return nil
}

// needs are the ports at which Envoy listens when it can serve.
func (a *agent) needs() (ports []uint32) {
	switch r := a.Registration; {
	case a.Pod != nil && r.Gateway == "":
		return []uint32{model.RedirectedOutbound, model.RedirectedInbound}
	case r.Gateway == "": // what a gateway listens on is for others to say
		ports = append(ports, r.OutboundPort)
		for _, p := range r.Ports {
			if p.ProxyPort > 0 { // else the repository knows it
				ports = append(ports, p.ProxyPort)
			}
		}
	}
	return ports
}

// sayWaiting says what Envoy lacks. A configuration whose ports are others is one that
// was made for another workload, or before this one was started with other flags.
func (a *agent) sayWaiting(ctx context.Context, ports []uint32, waited time.Duration) {
	waited = waited.Round(time.Second)
	if listens, ready := a.admin.Ports(ctx); ready && len(listens) > 0 {
		a.Log.Warn("waiting for Envoy: its configuration has not all ports that this workload needs; without a server they are those of its Workload in the repository",
			"for", waited, "needs", ports, "listens", listens)
		return
	}
	a.Log.Info("waiting for Envoy to be ready: it has no configuration yet", "for", waited)
}

// serve returns when ctx has ended and the workload is drained, or when its
// application, or Envoy for good, has ended.
func (a *agent) serve(ctx context.Context, app *app, broken <-chan error) error {
	probing, stop := context.WithCancel(ctx)
	defer stop()
	var ended <-chan struct{}
	if app != nil {
		ended = app.ended
	}
	if a.Pod != nil || a.Registration.Gateway != "" {
		a.set(ctx, model.Healthy) // Kubernetes says how the pod is
	} else {
		go a.probe(probing)
	}
	for {
		select {
		case signal := <-a.Signals:
			a.take(signal, app)
		case err := <-broken:
			return err
		case <-ended:
			return nil
		case <-ctx.Done():
			stop()
			a.tell(notify.Stopping)
			a.drain(ended)
			return nil
		}
	}
}

// take does what a signal asks for.
func (a *agent) take(signal os.Signal, app *app) {
	switch {
	case signal == syscall.SIGHUP:
		select {
		case a.upgrade <- struct{}{}:
		default: // it is asked for already
		}
	case app != nil:
		app.process.Signal(signal)
	}
}

// probe says how the application is, until ctx ends.
func (a *agent) probe(ctx context.Context) {
	var ports []uint32
	for _, p := range a.Registration.Ports {
		ports = append(ports, p.AppPort)
	}
	check := a.Health
	check.Env = environment(a.Registration)
	check.Run(ctx, ports, func(healthy bool, why error) {
		switch {
		case ctx.Err() != nil: // it may be draining by now
		case healthy:
			a.set(ctx, model.Healthy)
		default:
			a.Log.Warn("the application is not healthy any more", "why", why)
			a.set(ctx, model.Unhealthy)
		}
	})
}

// tell tells whoever manages the agent as a service.
func (a *agent) tell(state string) {
	if err := notify.Send(state); err != nil {
		a.Log.Warn("the service manager does not hear this", "state", state, "why", err)
	}
}

// drain has nobody sent here any more, and lets what is under way end. Who calls
// a gateway knows nothing of the mesh: it is told by the connection's end.
func (a *agent) drain(ended <-chan struct{}) {
	if a.Registration.Gateway != "" {
		if err := a.admin.Dismiss(context.Background()); err != nil {
			a.Log.Warn("callers are not asked to leave", "why", err)
		}
		defer a.awaitCallers()
	}
	wait, cancel := context.WithTimeout(context.Background(), confirmWait)
	defer cancel()
	a.set(wait, model.Draining)
	select {
	case <-time.After(a.Drain):
	case <-ended:
	}
}

// awaitCallers waits until no connection is open, at most for lastWait.
func (a *agent) awaitCallers() {
	ctx, cancel := context.WithTimeout(context.Background(), lastWait)
	defer cancel()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for open := -1; open != 0; {
		if n, err := a.admin.Connections(ctx); err == nil {
			open = n
		}
		select {
		case <-ctx.Done():
			a.Log.Warn("connections are cut", "open", open)
			return
		case <-tick.C:
		}
	}
}

// set says how the workload is from now on.
func (a *agent) set(ctx context.Context, h model.Health) {
	if a.health.Swap(h) != h {
		a.Log.Info("health", "is", h)
		a.home.tell(ctx, h)
	}
}

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"weft.dev/agent"
	"weft.dev/identity"
	"weft.dev/model"
)

// protocols are what --protocol takes.
var protocols = map[string]model.Protocol{
	"": model.HTTP, "http": model.HTTP, "http2": model.HTTP2, "grpc": model.HTTP2, "tcp": model.TCP,
}

// runFlags are the flags of run that need to be understood first.
type runFlags struct {
	options  agent.Options
	name     string
	ports    []string
	udp      []string
	protocol string
	labels   map[string]string
	health   healthFlags
	user     string
	redirect bool
	exclude  excludeFlags
	snapshot snapshotFlags
	dir      string
	file     string
	verbose  bool
}

const fileFlag = "file"

func run(ctx context.Context, args []string) (int, error) {
	var flags runFlags
	if err := flags.parse(args); err != nil {
		return exitUsage, err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(signals)
	flags.options.Signals = signals
	flags.options.Log = newLog(os.Stderr, flags.verbose)
	return agent.Run(ctx, flags.options)
}

// parse makes options of the command line, and of the file that it names.
func (r *runFlags) parse(args []string) error {
	f := r.set()
	if err := parse(f, args, true); err != nil {
		return err
	}
	r.options.Command = f.Args()
	if r.file != "" {
		command, err := readFile(f, r.file)
		if err != nil {
			return err
		}
		if len(r.options.Command) == 0 {
			r.options.Command = command
		}
	}
	return r.understand()
}

func (r *runFlags) set() *pflag.FlagSet {
	f := newFlags(`Run an application, or a gateway, beside its own Envoy. The application starts when its proxy is ready. It is
told its own port by $PORT, and reaches others by name through $HTTP_PROXY. On SIGTERM it leaves the mesh, drains,
and stops. The exit code is the application's. Without a command it stands beside an application that runs already.
A file, with the flags as keys and the command, says the same. With --snapshots it needs no server: the configuration
is what weft publish put there, and ports are what the repository says.`,
		"  weft run --app reviews --version v1 --port 9080 -- ./reviews\n  weft run --gateway ingressgateway --port 80:8080\n  weft run --file /etc/weft/reviews.yaml\n"+
			"  weft run --snapshots s3://mesh/live --snapshot-key trusted.pem --app reviews --name reviews-1 --port 9080:8080 -- ./reviews")
	o := &r.options
	f.StringVar(&o.Registration.App, "app", "", "the application, which is also the workload's identity")
	f.StringVar(&o.Registration.Version, "version", "", "its version")
	f.StringVar(&o.Registration.Gateway, "gateway", "", "run a gateway of this name, instead of an application")
	f.StringVarP(&o.Registration.Namespace, "namespace", "n", "default", "namespace of the workload")
	f.StringVar(&r.name, "name", "", "name of this instance, unique in the namespace; default: APP-VERSION-HOST")
	f.StringVar(&o.Registration.Address, "address", "", "IP at which others reach this machine; default: the one that it reaches the server from")
	f.StringArrayVar(&r.ports, "port", nil, "`PORT` of the service; PORT:NUMBER where the application listens on a fixed one, or the gateway has to; may be repeated")
	f.StringArrayVar(&r.udp, "udp", nil, "`PORT` of UDP of the service, which gateways lead to; PORT:NUMBER where the application has another one; may be repeated")
	f.StringVar(&r.protocol, "protocol", "", "of the ports: http, http2, grpc or tcp; default: http, but where a server is known to speak first, as at 25 or 3306, it must be said")
	f.StringToStringVar(&r.labels, "label", nil, "`KEY=VALUE` on the workload; may be repeated")
	r.health.set(f)
	f.Uint32Var(&o.Registration.OutboundPort, "outbound", 0, "`PORT` of loopback at which the application reaches others; default: picked once, told by $HTTP_PROXY")
	f.StringVar(&r.user, "user", "", "`USER` as whom the application runs; default: ours; another one needs root")
	f.BoolVar(&r.redirect, "redirect", false, "lead all TCP that the application calls to its proxy, which it need not know of; needs root, or NET_ADMIN and a cgroup")
	r.exclude.set(f)
	r.snapshot.set(f)
	f.StringVar(&o.Server, "server", "", "host:port that agents connect to; default: the one that was joined")
	f.StringVar(&o.HostDir, "host-dir", hostDir(), "folder of the machine's credentials")
	f.StringVar(&r.dir, "dir", "", "folder of this workload; default: one in weft's data directory")
	f.StringVar(&o.Envoy, "envoy", os.Getenv("WEFT_ENVOY"), "path of a binary to use instead of the pinned one; default $WEFT_ENVOY")
	f.IntVar(&o.Concurrency, "concurrency", 0, "threads of Envoy; default: the CPU quota, rounded up, and 1 where there is none")
	f.Uint64Var(&o.Heap, "heap", 0, "memory of Envoy, bytes; default 512 MiB")
	f.StringVar(&o.Metrics, "metrics", "", "`HOST:PORT` at which a Prometheus reads what the proxy counted, to whoever reaches it; port 0: a free one; default: nowhere")
	f.DurationVar(&o.Drain, "drain", agent.DefaultDrain, "how long the workload still answers after it was asked to stop")
	f.DurationVar(&o.Handover, "handover", agent.DefaultHandover, "on SIGHUP a new Envoy takes over; how long the old one closes its connections, those that remain are cut half as long after")
	f.StringVar(&r.file, fileFlag, "", "YAML `FILE` whose keys are these flags, and command: a list; a flag goes before its key")
	f.BoolVarP(&r.verbose, "verbose", "v", false, "log what is done, not only what is wrong")
	return f
}

// understand turns the flags into options.
func (r *runFlags) understand() error {
	o := &r.options
	what := &o.Registration
	switch {
	case (what.App == "") == (what.Gateway == ""):
		return errors.New("name either the application, with --app, or the gateway, with --gateway")
	case what.Gateway != "" && len(o.Command) > 0:
		return fmt.Errorf("a gateway runs no command, %q was given", o.Command[0])
	}
	var err error
	if what.Ports, err = parsePorts(r.ports, r.protocol, what.Gateway != ""); err != nil {
		return err
	}
	if what.Datagrams, err = parseDatagrams(r.udp, what.Gateway != ""); err != nil {
		return err
	}
	if err := r.attaches(); err != nil {
		return err
	}
	if err := r.redirects(); err != nil {
		return err
	}
	if o.User, err = credential(r.user); err != nil {
		return err
	}
	if o.Health, err = r.health.check(len(what.Ports)); err != nil {
		return err
	}
	if what.Host, err = hostName(); err != nil {
		return err
	}
	if err := r.origin(); err != nil {
		return err
	}
	what.Labels = r.labels
	if what.Name = r.name; what.Name == "" {
		what.Name = defaultName(*what)
	}
	if o.Dir = r.dir; o.Dir == "" {
		o.Dir = filepath.Join(identity.DataDir(), "workloads", what.Namespace, what.Name)
	}
	return nil
}

// origin is where the configuration comes from: a server, which has others call this
// machine, or where somebody published it.
func (r *runFlags) origin() (err error) {
	o := &r.options
	what := &o.Registration
	if o.Published, err = r.snapshot.options(); err != nil {
		return err
	}
	switch {
	case o.Published != nil && o.Server != "":
		return errors.New("--snapshots needs no --server: leave one of them out")
	case o.Published != nil && r.redirect:
		return errors.New("--redirect needs a server: what is published has proxies that applications know of")
	case o.Published != nil && what.Gateway == "" && what.OutboundPort == 0:
		what.OutboundPort = model.DefaultOutbound
	case o.Published == nil && what.Address == "":
		what.Address, err = localAddress(o.Server, o.HostDir)
	}
	return err
}

// attaches wants to know where an application listens that is not told so.
func (r *runFlags) attaches() error {
	what := r.options.Registration
	if what.Gateway != "" || len(r.options.Command) > 0 {
		return nil
	}
	for _, p := range what.Ports {
		if p.AppPort == 0 {
			return fmt.Errorf("--port %d: the application runs already, or its command is missing: say where it listens, as --port %d:NUMBER", p.Number, p.Number)
		}
	}
	return nil
}

// redirects leads what the command calls; nothing else is in its cgroup.
func (r *runFlags) redirects() (err error) {
	if !r.redirect {
		return nil
	}
	if len(r.options.Command) == 0 {
		return errors.New("--redirect is of the application that is started here: give its command after --; one that runs already is told of its proxy")
	}
	r.options.Redirection, err = redirection(r.exclude)
	return err
}

func parsePorts(texts []string, protocol string, gateway bool) ([]model.WorkloadPort, error) {
	known, ok := protocols[protocol]
	if !ok {
		return nil, fmt.Errorf("--protocol %q: use http, http2, grpc or tcp", protocol)
	}
	var ports []model.WorkloadPort
	for _, text := range texts {
		number, other, err := parsePort("port", text)
		if err != nil {
			return nil, err
		}
		port := model.WorkloadPort{Number: number, Protocol: known}
		if protocol == "" && !gateway && model.ServerFirst(port.Number) {
			return nil, fmt.Errorf("--port %d: servers there are known to speak first, and a proxy that takes it for HTTP waits for the client: say --protocol tcp, or --protocol http", number)
		}
		if gateway {
			port.ProxyPort = other
		} else {
			port.AppPort = other
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// parsePort reads PORT, whose other one is 0, or PORT:NUMBER.
func parsePort(flag, text string) (number, other uint32, err error) {
	outer, inner, fixed := strings.Cut(text, ":")
	one, err := strconv.ParseUint(outer, 10, 16)
	var two uint64
	if err == nil && fixed {
		two, err = strconv.ParseUint(inner, 10, 16)
	}
	if err != nil || one == 0 || fixed && two == 0 {
		return 0, 0, fmt.Errorf("--%s %q: use PORT or PORT:NUMBER, each from 1 to 65535", flag, text)
	}
	return uint32(one), uint32(two), nil
}

// parseDatagrams reads ports of UDP. No proxy is before them, so the application has them where others reach the machine.
func parseDatagrams(texts []string, gateway bool) (ports []model.WorkloadPort, err error) {
	if gateway && len(texts) > 0 {
		return nil, fmt.Errorf("--udp %s: a gateway takes datagrams where its listeners of UDP say; for another port of this machine say --port PORT:NUMBER", texts[0])
	}
	for _, text := range texts {
		number, other, err := parsePort("udp", text)
		if err != nil {
			return nil, err
		}
		ports = append(ports, model.WorkloadPort{Number: number, Protocol: model.UDP, ProxyPort: cmp.Or(other, number)})
	}
	return ports, nil
}

func hostName() (string, error) {
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("this machine has no name: %w", err)
	}
	return strings.ToLower(name), nil
}

func defaultName(r model.Registration) string {
	parts := []string{r.App + r.Gateway}
	if r.Version != "" {
		parts = append(parts, strings.ToLower(r.Version))
	}
	return strings.Join(append(parts, r.Host), "-")
}

// localAddress is the IP from which this machine reaches the server. Nothing is sent.
func localAddress(server, hostDir string) (string, error) {
	server, err := agent.ServerAddress(server, hostDir)
	if err != nil {
		return "", err
	}
	conn, err := net.DialTimeout("udp", server, 5*time.Second)
	if err != nil {
		return "", fmt.Errorf("server %s: %w; say with --address where others reach this machine", server, err)
	}
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.LocalAddr().String())
	return host, err
}

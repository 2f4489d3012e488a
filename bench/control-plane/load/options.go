package load

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// options are the command line.
type options struct {
	server, order, nodeID, cluster, ns, metadata, dump, label string
	joinToken                                                 string

	n, ipFirst, ipStride, pid, firstIndex   int
	groups                                  int
	sotw, initialVersions, control, verbose bool
	rate                                    float64
	syncTimeout, changeTimeout, gap, settle time.Duration
	transport                               transport
	changes                                 []change
}

// Main measures as the arguments say. With an error, what was measured before it is still written.
func Main(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	if o.control {
		return obey(ctx, o, in, encoder)
	}
	encoder.SetIndent("", " ")
	report, err := measure(ctx, o)
	if report != nil {
		err = errors.Join(err, encoder.Encode(report))
	}
	return err
}

func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("xdsload", flag.ContinueOnError)
	fs.StringVar(&o.server, "server", "127.0.0.1:15010", "xDS server")
	fs.IntVar(&o.n, "n", 50, "proxies")
	fs.BoolVar(&o.sotw, "sotw", false, "state of the world instead of delta")
	fs.StringVar(&o.order, "order", "envoy", "envoy: LDS only after clusters are warm; parallel: CDS and LDS at once")
	fs.BoolVar(&o.initialVersions, "initial-versions", false, "keep state over streams and present initial_resource_versions; without -control, drop all streams once after the initial sync (phase reconnect)")
	o.transportFlags(fs)
	o.nodeFlags(fs)
	fs.IntVar(&o.pid, "server-pid", 0, "whose CPU and memory to report")
	fs.Float64Var(&o.rate, "connect-rate", 0, "new proxies per second; 0 = all at once")
	fs.DurationVar(&o.syncTimeout, "sync-timeout", 180*time.Second, "exit 1 if not all proxies are synced by then")
	fs.DurationVar(&o.changeTimeout, "change-timeout", 60*time.Second, "a change not seen by all by then is counted as failed")
	fs.DurationVar(&o.gap, "gap", 2*time.Second, "quiet time after each converged change (its CPU is charged to the change)")
	fs.DurationVar(&o.settle, "settle", 3*time.Second, "quiet time after the initial sync and after the reconnect")
	fs.StringVar(&o.dump, "dump", "", "write proxy 0's resources, of all types, here")
	fs.StringVar(&o.label, "label", "", "copied to the report")
	fs.IntVar(&o.firstIndex, "first-index", 1, "first change index (keep needles unique across runs)")
	fs.BoolVar(&o.control, "control", false, "after the initial sync, obey commands on standard input: one a line, one line of JSON each")
	fs.BoolVar(&o.verbose, "v", false, "log progress")
	fs.Func("change", changeUsage, func(s string) error {
		c, err := parseChange(s)
		o.changes = append(o.changes, c)
		return err
	})
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return o, o.check()
}

func (o *options) check() error {
	switch {
	case o.n < 1:
		return errors.New("-n must be at least 1")
	case o.groups < 1:
		return errors.New("-groups must be at least 1")
	case o.firstIndex < 1:
		return errors.New("-first-index must be at least 1")
	case o.order != "envoy" && o.order != "parallel":
		return fmt.Errorf("-order %s is neither envoy nor parallel", o.order)
	case o.sotw && o.initialVersions:
		return errors.New("-initial-versions needs delta: state of the world has no such field")
	case o.control && len(o.changes) > 0:
		return errors.New("-change and -control: give changes as commands")
	case o.joinToken != "" && (o.sotw || o.transport.tls):
		return errors.New("-join is delta over the mesh port's own TLS: leave out -sotw and -tls")
	}
	return nil
}

func (o *options) transportFlags(fs *flag.FlagSet) {
	t := &o.transport
	fs.BoolVar(&t.tls, "tls", false, "TLS instead of plaintext")
	fs.StringVar(&t.ca, "ca", "", "PEM roots for the server's certificate; default: the system's")
	fs.StringVar(&t.cert, "cert", "", "PEM client certificate")
	fs.StringVar(&t.key, "key", "", "PEM key of -cert")
	fs.StringVar(&t.serverName, "server-name", "", "name expected in the server's certificate; default: the host of -server")
	fs.BoolVar(&t.skipVerify, "insecure-skip-verify", false, "do not check the server's certificate")
	fs.StringVar(&t.bearer, "bearer", "", "token, or @FILE with it, for the authorization header")
	fs.StringVar(&o.joinToken, "join", "", "weft's join token: -server is its mesh port, where every proxy is a workload that a joined host registered")
}

func (o *options) nodeFlags(fs *flag.FlagSet) {
	fs.StringVar(&o.nodeID, "node-id", "{ns}/{name}", "{ip} {name} {ns} {group} {i} expand, here and in the next two")
	fs.StringVar(&o.cluster, "node-cluster", "load", "")
	fs.StringVar(&o.metadata, "metadata", "{}", "node metadata JSON")
	fs.StringVar(&o.ns, "ns", "default", "{ns}; {group} expands")
	fs.IntVar(&o.groups, "groups", 1, "{group} of proxy i is i modulo this")
	fs.IntVar(&o.ipFirst, "ip-first", 1, "{ip} = 10.x.y.z of ip-first + k*ip-stride")
	fs.IntVar(&o.ipStride, "ip-stride", 1, "")
}

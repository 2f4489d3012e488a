package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	crdserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"

	"weft.dev/api"
)

// Options say what to serve, and where.
type Options struct {
	// Dir is the data directory. It is made if absent, and then belongs to one server at a time.
	Dir string
	// Listen is the address, host:port. With port 0 the system chooses one.
	Listen string
	// Names are further host names and addresses that clients reach the server under.
	Names []string
	// Extra, if any, answers requests under /weft/ from the same clients as the API has. One with the
	// query watch=true may last as long as it likes.
	Extra http.Handler
	// Audit records a change before it is stored; where it fails, a person's is refused. Nil: nothing is recorded.
	Audit func(Mutation) error
	// Rules say why a person's write of a Decision, Freeze, PipelineRun or Release is refused; nil: it may be. Administrators
	// are asked about, too, and the server's own process is not. Without Rules people write no Freeze and no Release.
	Rules func(ctx context.Context, w Wish) error
	Log   *slog.Logger
}

// Limits of the server. Requests above them are refused, with a status that
// tells a client to come back where that helps.
const (
	maxBody        = api.MaxBytes // what may be stored can be read
	maxReads       = 200          // requests at the same time; watches are not counted
	maxWrites      = 100
	maxStreams     = 250 // per connection
	requestTimeout = time.Minute
	watchGrace     = time.Second // for watches to end at shutdown; 0 would mean 60 s
)

const (
	readyInterval    = 20 * time.Millisecond
	kubeconfigName   = "admin.kubeconfig"
	extraPath        = "/weft/"
	defaultNamespace = "default"
	// istioNamespace is where Istio's mesh-wide policies are written.
	istioNamespace = "istio-system"
)

// Server is an API server over a data directory.
type Server struct {
	options    Options
	lock       *os.File
	etcd       *etcd
	ca         *authority
	api        *crdserver.CustomResourceDefinitions
	config     *rest.Config // loopback, all rights
	url        string
	namespaces *namespaceController
	ready      chan struct{}
}

// logOnce: the logger of the API server's libraries is the process's, and must not change while they log.
var logOnce sync.Once

// New takes the data directory and starts etcd in it. Whoever gets a server
// must Run it, which also ends what New began.
//
// The Kubernetes libraries have one logger for the process; New makes it the
// warnings of Log.
func New(ctx context.Context, o Options) (_ *Server, err error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	o.Dir = dir
	logOnce.Do(func() { klog.SetSlogLogger(slog.New(warnings{o.Log.Handler()})) })
	s := &Server{options: o, ready: make(chan struct{})}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	// A kubeconfig means that the server is ready, and this one is not yet.
	if err := os.Remove(s.Kubeconfig()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if s.ca, err = loadAuthority(dir, time.Now()); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, err
	}
	if s.etcd, err = startEtcd(ctx, dir, o.Log); err != nil {
		listener.Close()
		return nil, err
	}
	if err := s.build(listener); err != nil {
		listener.Close()
		return nil, err
	}
	return s, nil
}

// Kubeconfig is the path of the administrator's kubeconfig. The file exists
// while the server is ready, and only then.
func (s *Server) Kubeconfig() string { return filepath.Join(s.options.Dir, kubeconfigName) }

// Config is the configuration of a client within this process, with all rights.
// The server answers it once Ready.
func (s *Server) Config() *rest.Config { return rest.CopyConfig(s.config) }

// URL is where the server listens.
func (s *Server) URL() string { return s.url }

// Ready is closed once every kind is served and the kubeconfig is written.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run serves until ctx ends, and then stops in good order: in about a second.
func (s *Server) Run(ctx context.Context) error {
	defer s.close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		if err := s.prepare(ctx); err != nil && ctx.Err() == nil {
			stop(err)
		}
	}()
	err := s.api.GenericAPIServer.PrepareRun().RunWithContext(ctx)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = errors.Join(err, cause)
	}
	return errors.Join(err, os.Remove(s.Kubeconfig()))
}

// prepare brings a running server to readiness.
func (s *Server) prepare(ctx context.Context) error {
	if err := s.awaitHealthy(ctx); err != nil {
		return err
	}
	for _, name := range []string{defaultNamespace, istioNamespace} {
		if err := s.ensureNamespace(ctx, name); err != nil {
			return err
		}
	}
	if err := s.installCRDs(ctx); err != nil {
		return fmt.Errorf("CRDs: %w", err)
	}
	now := time.Now()
	text, err := s.ca.kubeconfig(s.url, adminName, []string{adminGroup}, now, now.AddDate(leafYears, 0, 0))
	if err != nil {
		return err
	}
	if err := writeFile(s.Kubeconfig(), text); err != nil {
		return err
	}
	close(s.ready)
	s.namespaces.run(ctx)
	return nil
}

// awaitHealthy waits for the server's own start.
func (s *Server) awaitHealthy(ctx context.Context) error {
	client, err := rest.HTTPClientFor(s.config)
	if err != nil {
		return err
	}
	return poll(ctx, func() (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.config.Host+"/readyz", nil)
		if err != nil {
			return false, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return false, nil // not listening yet
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK, nil
	})
}

// close gives back what New took. It may be called on a half-made server.
func (s *Server) close() {
	if s.etcd != nil {
		s.etcd.stop()
	}
	if s.lock != nil {
		s.lock.Close()
	}
}

// poll asks until it is done, fails, or ctx ends.
func poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// warnings hides what the Kubernetes libraries tell of every step that went well.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelWarn && w.Handler.Enabled(ctx, l)
}

// Handle drops what the libraries log as their own fault when an object with a
// wrong type is refused; whoever sent it is told.
func (w warnings) Handle(ctx context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "[SHOULD NOT HAPPEN] failed to update managedFields") {
		return nil
	}
	return w.Handler.Handle(ctx, r)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }

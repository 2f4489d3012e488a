package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"google.golang.org/grpc"

	"weft.dev/agent/notify"
	"weft.dev/agent/steward"
	"weft.dev/agent/uplink"
	"weft.dev/model"
)

const (
	reportPause  = 250 * time.Millisecond // between two reports of a machine
	hostRenewal  = time.Minute            // between two looks at the machine's certificate
	maxRedirects = 5
)

// HostOptions are what RunHost needs to know.
type HostOptions struct {
	Server  string // host:port; empty: the one that was joined
	HostDir string // what Join wrote
	Dir     string // what was ordered, made when needed
	Allow   steward.Allow
	Agent   string   // path of the weft-agent that runs instances
	Flags   []string // of weft run, for each
	Log     *slog.Logger
}

// RunHost starts and stops on this machine what the server orders, as far as its operator
// lets it, until ctx ends. What it started runs on then.
func RunHost(ctx context.Context, o HostOptions) (err error) {
	notify.Claim() // it is not that of what is started here
	if o.Server, err = ServerAddress(o.Server, o.HostDir); err != nil {
		return err
	}
	if err := os.MkdirAll(o.Dir, 0o711); err != nil { // others may have to reach artifacts
		return err
	}
	unlock, err := exclusive(o.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	conn, shared, err := o.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(ctx)
	s, err := steward.Open(ctx, steward.Options{
		Dir: o.Dir, Allow: o.Allow, Agent: o.Agent, Flags: append([]string{"--server", o.Server, "--host-dir", o.HostDir}, o.Flags...),
		Running: running, Ready: ready, Client: fetcher(), Log: o.Log,
	})
	if err != nil {
		cancel()
		return err
	}
	defer s.Wait()
	defer cancel()
	h := &hostSession{conn: conn, steward: s, allow: o.Allow, keeper: &keeper{hostDir: o.HostDir, server: o.Server, log: o.Log}, log: o.Log}
	go shared.Run(ctx)
	go h.renew(ctx)
	if err := notify.Send(notify.Ready); err != nil {
		o.Log.Warn("nobody knows that this machine can be told what to run", "why", err)
	}
	h.run(ctx)
	return nil
}

// connect goes by the machine's one connection, or the server itself, in the machine's name.
func (o HostOptions) connect() (*grpc.ClientConn, uplink.Uplink, error) {
	shared, err := newUplink(o.Server, o.HostDir, o.Log)
	if err != nil {
		return nil, shared, err
	}
	own, err := hostCredentials(o.HostDir)
	if err != nil {
		return nil, shared, err
	}
	conn, err := dial("passthrough:///"+o.Server, uplink.Credentials(own), append(lasting(), shared.Options("")...)...)
	return conn, shared, err
}

// fetcher fetches artifacts, whose digest is checked: where they come from is the operator's word.
func fetcher() *http.Client {
	return &http.Client{CheckRedirect: func(r *http.Request, before []*http.Request) error {
		if r.URL.Scheme != "https" || len(before) > maxRedirects {
			return fmt.Errorf("it leads to %s: artifacts come by https, and over at most %d redirects", r.URL.Redacted(), maxRedirects)
		}
		return nil
	}}
}

// running is the process of the agent that uses a folder; 0: none does. The lock is its own while
// it lives. Who starts an agent must not ask: for a moment this has the lock.
func running(dir string) (pid int) {
	file, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return 0
	}
	defer file.Close() // which unlocks
	if syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == nil {
		return 0
	}
	text, err := io.ReadAll(io.LimitReader(file, 20))
	if err == nil {
		pid, _ = strconv.Atoi(string(text))
	}
	return pid
}

// ready says whether an agent of this process says that its workload is healthy.
func ready(dir string, pid int) bool {
	status, err := ReadStatus(dir)
	return err == nil && status.AgentProcess == pid && status.Health == model.Healthy
}

// hostSession tells the server how this machine is, and takes its orders.
type hostSession struct {
	conn    grpc.ClientConnInterface
	steward *steward.Steward
	allow   steward.Allow
	keeper  *keeper // of the machine's credential alone
	log     *slog.Logger
}

// renew keeps the machine's certificate from ending where no workload does.
func (h *hostSession) renew(ctx context.Context) {
	for {
		if err := h.keeper.renewHost(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("the machine's credential is not renewed", "why", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(hostRenewal):
		}
	}
}

func (h *hostSession) run(ctx context.Context) {
	backoff, level := minReconnect, slog.LevelWarn
	for ctx.Err() == nil {
		began := time.Now()
		err := h.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > maxReconnect {
			backoff, level = minReconnect, slog.LevelWarn
		}
		h.log.Log(ctx, level, "the server does not say what is to run; what runs here runs on", "why", err)
		level = slog.LevelInfo // people know
		select {
		case <-ctx.Done():
		case <-time.After(backoff/2 + rand.N(backoff)):
		}
		backoff = min(2*backoff, maxReconnect)
	}
}

// once has a stream until it ends.
func (h *hostSession) once(ctx context.Context) error {
	taking := ctx // what is taken is kept, longer than the stream
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := h.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, model.AgentHost,
		grpc.ForceCodec(model.AgentCodec{}), grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	taken, ended := make(chan int64, 1), make(chan error, 1)
	go func() { ended <- h.listen(taking, stream, taken) }()
	heartbeat := time.NewTicker(model.LeaseInterval / 2)
	defer heartbeat.Stop()
	r := model.HostReport{Labels: h.allow.Labels, Allows: h.allow.Names()}
	for {
		r.Instances = h.steward.Report()
		if err := stream.SendMsg(&r); err != nil {
			return errors.Join(err, <-ended)
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(reportPause):
		}
		select {
		case err := <-ended:
			return err
		case r.Taken = <-taken:
		case <-h.steward.Changed():
		case <-heartbeat.C:
		}
	}
}

// listen takes orders until the stream ends.
func (h *hostSession) listen(ctx context.Context, stream grpc.ClientStream, taken chan int64) error {
	for {
		var o model.HostOrder
		if err := stream.RecvMsg(&o); err != nil {
			return err
		}
		if err := h.keeper.trustHost(o.Roots); err != nil {
			h.log.Error("the machine's credential has the old roots", "why", err)
		}
		if err := h.steward.Take(ctx, o); err != nil {
			return fmt.Errorf("an order is not on disk: %w", err)
		}
		select {
		case <-taken: // an older one, of which nothing is said any more
		default:
		}
		taken <- o.Number
	}
}

package agent

import (
	"context"
	"sync"
	"time"

	"weft.dev/agent/envoy"
	"weft.dev/agent/uplink"
	"weft.dev/identity"
	"weft.dev/model"
)

// member is the home of a workload that a server knows: it has a certificate and
// a lease there.
type member struct {
	*agent
	keeper  *keeper
	session *session
	uplink  uplink.Uplink // of a machine
	left    chan struct{} // closed: the session has ended
}

func newMember(a *agent, held *claims) (m *member, err error) {
	if a.Pod == nil {
		if a.Registration, err = assignPorts(a.files, a.Registration, held); err != nil {
			return nil, err
		}
	}
	if a.Server, err = ServerAddress(a.Server, a.HostDir); err != nil {
		return nil, err
	}
	m = &member{agent: a, left: make(chan struct{})}
	m.keeper = &keeper{
		files: a.files, hostDir: a.HostDir, server: a.Server, log: a.Log, changed: m.serveSecrets, pod: a.Pod,
		wanted: model.RenewRequest{Namespace: a.Registration.Namespace, Account: a.account()},
	}
	if a.Pod == nil {
		m.uplink, err = newUplink(m.Server, m.HostDir, m.Log)
	}
	return m, err
}

func (m *member) serveSecrets(c *identity.Credential) {
	all, err := secrets(c)
	if err != nil {
		m.Log.Error("the certificate cannot be given to Envoy", "why", err)
		return
	}
	for _, one := range all {
		m.relay.SetLocal(model.TypeSecret.TypeURL(), one)
	}
}

func (m *member) open(ctx context.Context) (upstream, error) {
	if err := m.keeper.open(ctx); err != nil {
		return nil, err
	}
	conn, err := m.connect()
	if err != nil {
		return nil, err
	}
	m.session = newSession(conn, m.Registration, m.keeper.trust, m.spans.take, m.Log)
	m.session.tap, m.session.full, m.tap.send = m.tap.ask, m.full.ask, m.session.tell
	return conn, nil
}

func (m *member) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	if m.Pod == nil {
		running.Go(func() { m.uplink.Run(ctx) })
	}
	running.Go(func() { m.keeper.run(ctx) })
	running.Go(func() { m.count(ctx) })
	running.Go(func() { m.tap.run(ctx) })
	running.Go(func() { m.session.run(ctx); close(m.left) })
}

func (m *member) tell(ctx context.Context, h model.Health) {
	m.session.set(h)
	if _, connected := m.session.state(); connected && h == model.Draining {
		m.session.await(ctx, h)
	}
}

func (m *member) leave() {
	close(m.session.leave)
	select {
	case <-m.left:
	case <-time.After(leaveWait):
	}
}

func (m *member) describe(s *Status) {
	_, s.Connected = m.session.state()
	s.Certificate = m.keeper.held.Load().Ends()
}

// count reads Envoy's counters and hands them on.
func (m *member) count(ctx context.Context) {
	traffic := envoy.NewTraffic(m.admin)
	tick := time.NewTicker(scrape)
	defer tick.Stop()
	var said time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if !m.session.takes() {
				continue
			}
			r, err := traffic.Report(ctx, m.relay.Names(model.TypeCluster.TypeURL()), now)
			if err == nil && (len(r.Edges)+len(r.Limits)+len(r.Verdicts)+len(r.Peers) > 0 || now.Sub(said) >= model.WatchPace) {
				m.session.report(r)
				said = now
			}
		}
	}
}

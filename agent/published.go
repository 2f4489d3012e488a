package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"weft.dev/agent/poll"
	"weft.dev/agent/standin"
	"weft.dev/model"
)

// useInterval is between two looks whether Envoy has accepted what it was given.
const useInterval = 500 * time.Millisecond

// published is the home of a workload without a server: its configuration is
// where somebody has published it. It has no certificate, and nobody hears of it.
type published struct {
	*agent
	poll   *poll.Poll
	server *standin.Server
}

func newPublished(a *agent) (*published, error) {
	if err := fixedPorts(a.Registration); err != nil {
		return nil, err
	}
	p := &published{agent: a}
	o, r := *a.Published, a.Registration
	o.Namespace, o.Name, o.App, o.Files, o.Log = r.Namespace, r.Name, r.App, a.files, a.Log
	if r.Gateway != "" {
		o.App = model.GatewayApp(r.Gateway)
	}
	o.Has = func(t model.Type) int { return len(a.relay.Names(t.TypeURL())) }
	o.Use = func(view []*model.Resource) { p.server.Set(view) }
	p.poll = poll.New(o)
	return p, nil
}

// fixedPorts refuses what an agent with a server would pick: here the repository
// has picked it.
func fixedPorts(r model.Registration) error {
	if r.Gateway != "" {
		return nil
	}
	if r.OutboundPort == 0 {
		return fmt.Errorf("workload %s/%s: no outbound port: say that of its Workload in the repository, else %d", r.Namespace, r.Name, model.DefaultOutbound)
	}
	for _, p := range r.Ports {
		if p.AppPort == 0 {
			return fmt.Errorf("workload %s/%s: port %d: say where the application listens, as its Workload in the repository does", r.Namespace, r.Name, p.Number)
		}
	}
	return nil
}

// open gives Envoy the machine's roots at once: nobody else has them.
func (p *published) open(context.Context) (_ upstream, err error) {
	if roots, found := systemRoots(); found {
		p.relay.SetLocal(model.TypeSecret.TypeURL(), trusted(model.SecretSystemRoots, roots))
	} else {
		p.Log.Warn("this machine has no bundle of trusted roots: calls by TLS fail", "looked", bundles)
	}
	p.server, err = standin.New()
	return p.server, err
}

func (p *published) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { p.poll.Run(ctx) })
	running.Go(func() { p.watch(ctx) })
}

// watch says when Envoy has accepted another view.
func (p *published) watch(ctx context.Context) {
	tick := time.NewTicker(useInterval)
	defer tick.Stop()
	var said poll.State
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s := p.poll.State(); s.View != said.View && p.server.InUse() {
			said = s
			p.Log.Info("the published view is in use", "sequence", s.Sequence, "revision", s.Revision, "view", s.View)
		}
	}
}

func (p *published) tell(context.Context, model.Health) {}

func (p *published) leave() {}

func (p *published) describe(s *Status) {
	s.Published = &Published{p.poll.State(), p.server.InUse()}
}

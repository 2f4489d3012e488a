package host

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"weft.dev/model"
)

const tickInterval = time.Second

// Run restores the leases of the workloads that are known, each for a full
// lease from now, and then removes those that end, until ctx does. It may run
// again: what it remembered of leases is then too old.
func (s *Server) Run(ctx context.Context) error {
	known, err := s.Workloads.List(ctx)
	if err != nil {
		return fmt.Errorf("workloads: %w", err)
	}
	s.mu.Lock()
	s.leases = newLeases(s.Now())
	for _, w := range known {
		who := id{w.Namespace, w.Name}
		s.leases.hear(who, group{w.Namespace, account(model.Registration{App: w.Spec.App, Gateway: w.Spec.Gateway})}, s.Now())
	}
	for _, one := range s.sessions {
		one.hear()
	}
	s.mu.Unlock()
	defer s.leadNoMore()
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.tick(ctx)
		}
	}
}

// tick does what the leases decide.
func (s *Server) tick(ctx context.Context) {
	s.mu.Lock()
	v := s.leases.tick(s.Now())
	s.mu.Unlock()
	for _, g := range v.guards {
		s.Log.Error("mass loss", "what", g.String())
		s.problem(g.group, g.String())
	}
	for _, g := range v.over {
		s.problem(g, "")
	}
	for _, who := range v.lose {
		if err := s.lose(who, func() error { return s.Workloads.SetHealth(ctx, who.namespace, who.name, model.Lost) }); err != nil {
			s.Log.Error("a lost workload is not marked", "workload", who, "why", err)
		}
	}
	for _, who := range v.remove {
		err := s.lose(who, func() error {
			err := s.Workloads.Delete(ctx, who.namespace, who.name)
			if err == nil {
				s.forget(who)
				s.Log.Info("a workload fell silent and was removed", "workload", who, "after", leaseTime)
			}
			return err
		})
		if err != nil {
			s.Log.Error("a silent workload is not removed yet", "workload", who, "why", err)
		}
	}
}

// lose acts on a silent workload, unless it has come back in the meantime.
func (s *Server) lose(who id, act func() error) error {
	defer s.write(who)()
	s.mu.Lock()
	silent := s.leases.silent(who, s.Now())
	s.mu.Unlock()
	if !silent {
		return nil
	}
	return act()
}

// write makes registration, health and removal of one workload take turns.
func (s *Server) write(who id) (done func()) {
	h := fnv.New32a()
	h.Write([]byte(who.String()))
	m := &s.writing[h.Sum32()%uint32(len(s.writing))]
	m.Lock()
	return m.Unlock
}

func (s *Server) forget(who id) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases.end(who)
}

func (s *Server) problem(g group, text string) {
	if s.Problem != nil {
		s.Problem(g.String(), text)
	}
}

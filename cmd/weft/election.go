package main

import (
	"context"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// election makes one of the replicas do what one has to do.
type election struct {
	lock    *resourcelock.LeaseLock
	leading atomic.Bool
	log     *slog.Logger
}

// A release goes on within 10 s of its leader's death: Kubernetes' own controllers wait
// for 15 s. Who waits asks each 2.2 periods at the latest: so late it learns of the last
// renewal, a lease after that it may take over, and so late it tries.
const (
	leaseName     = "weft"
	leaseDuration = 5 * time.Second         // whole seconds: that is what a Lease can say
	renewDeadline = 3500 * time.Millisecond // from a period after the last renewal: who cannot renew stops before another one starts
	retryPeriod   = 700 * time.Millisecond
)

func newElection(config *rest.Config, namespace string, log *slog.Logger) (*election, error) {
	client, err := coordination.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	name, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	return &election{log: log, lock: &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: namespace, Name: leaseName}, Client: client,
		LockConfig: resourcelock.ResourceLockConfig{Identity: name},
	}}, nil
}

// lead does the duties whenever this replica leads, until ctx ends.
func (e *election) lead(ctx context.Context, duties func(context.Context) error) error {
	for ctx.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: e.lock, LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod, ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) { e.work(ctx, duties) },
				OnStoppedLeading: func() {},
			},
		})
		if err != nil {
			return err
		}
		elector.Run(ctx)
	}
	return ctx.Err()
}

func (e *election) work(ctx context.Context, duties func(context.Context) error) {
	e.leading.Store(true)
	stop := context.AfterFunc(ctx, func() { e.leading.Store(false) }) // before the duties have ended
	defer stop()
	defer e.leading.Store(false)
	e.log.Info("this server leads")
	for ctx.Err() == nil {
		if err := duties(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("a duty of the leader failed", "why", err, "again", retryPeriod)
			select {
			case <-ctx.Done():
			case <-time.After(retryPeriod):
			}
		}
	}
	e.log.Info("this server leads no more")
}

package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/flow"
	"weft.dev/model"
)

const (
	resync = 5 * time.Minute // what somebody else changed is put right
	again  = 5 * time.Second
)

// Cluster is where the objects go.
type Cluster interface {
	// Apply makes the fields of an object so, and leaves those of others alone.
	Apply(ctx context.Context, o Object) error
	// Remove is no error where there is none.
	Remove(ctx context.Context, o Object) error
}

// Controller keeps a cluster's gateways as they are wanted.
type Controller struct {
	cluster Cluster
	pod     func(model.GatewayPods) (corev1.PodSpec, error)
	log     *slog.Logger

	mu      sync.Mutex
	wanted  map[string]model.GatewayPods
	pending map[string]bool
	wake    chan struct{}
}

// New makes a controller of what is wanted. Pod is what a gateway's pods are.
func New(wanted *flow.Collection[model.GatewayPods], cluster Cluster, pod func(model.GatewayPods) (corev1.PodSpec, error), log *slog.Logger) *Controller {
	c := &Controller{
		cluster: cluster, pod: pod, log: log,
		wanted: map[string]model.GatewayPods{}, pending: map[string]bool{}, wake: make(chan struct{}, 1),
	}
	wanted.Observe(func(_ flow.Revision, changes []flow.Change[model.GatewayPods]) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, change := range changes {
			delete(c.wanted, change.Key)
			delete(c.pending, change.Key)
			if change.New != nil {
				c.wanted[change.Key], c.pending[change.Key] = *change.New, true
			}
		}
		select {
		case c.wake <- struct{}{}:
		default:
		}
	})
	return c
}

// Run works until ctx ends. It begins with all that is wanted: another server
// may have led before.
func (c *Controller) Run(ctx context.Context) error {
	c.all()
	timer := time.NewTimer(0)
	defer timer.Stop()
	whole := time.NewTicker(resync)
	defer whole.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-whole.C:
			c.all()
		case <-c.wake:
		case <-timer.C:
		}
		if failed := c.turn(ctx); failed {
			timer.Reset(again)
		}
	}
}

func (c *Controller) all() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.wanted {
		c.pending[key] = true
	}
}

// turn applies what is pending, and keeps what did not work.
func (c *Controller) turn(ctx context.Context) (failed bool) {
	c.mu.Lock()
	var work []model.GatewayPods
	for _, key := range model.SortedKeys(c.pending) {
		work = append(work, c.wanted[key])
	}
	clear(c.pending)
	c.mu.Unlock()
	for _, g := range work {
		if err := c.apply(ctx, g); err != nil && ctx.Err() == nil {
			c.log.Warn("a gateway's pods are not as they should be yet", "gateway", g.Key(), "why", err)
			c.mu.Lock()
			if _, still := c.wanted[g.Key()]; still {
				c.pending[g.Key()] = true
			}
			c.mu.Unlock()
			failed = true
		}
	}
	return failed
}

func (c *Controller) apply(ctx context.Context, g model.GatewayPods) error {
	pod, err := c.pod(g)
	if err != nil {
		return err
	}
	for _, o := range Objects(g, pod) {
		do := c.cluster.Apply
		if o.Gone {
			do = c.cluster.Remove
		}
		if err := do(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", o.Resource.Resource, err)
		}
	}
	return nil
}

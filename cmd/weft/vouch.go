package main

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	target "weft.dev/install/cluster"
)

// vouchedFor is how long what was read of a cluster's policy is taken for what holds.
const vouchedFor = 5 * time.Second

// vouching reads since when names in a cluster's objects are true, or why they are not.
type vouching struct {
	read func(ctx context.Context) (since time.Time, why string)
	now  func() time.Time

	mu    sync.Mutex
	at    time.Time // zero: it was not read yet
	since time.Time
	why   string
}

func newVouching(config *rest.Config) (*vouching, error) {
	cluster, err := target.Connect(config)
	if err != nil {
		return nil, err
	}
	return &vouching{read: cluster.Vouched, now: time.Now}, nil
}

// vouched is for front. Nobody may wait for long to hear that names are not true.
func (v *vouching) vouched(ctx context.Context) (time.Time, string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now := v.now(); v.at.IsZero() || now.Sub(v.at) >= vouchedFor {
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		v.since, v.why = v.read(ctx)
		v.at = now
	}
	return v.since, v.why
}

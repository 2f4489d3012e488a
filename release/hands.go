package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/opinion"
)

// patience is how long a provider of instances may keep a release from looking at its traffic.
const patience = 10 * time.Second

// look adds what there is of the application's versions. A provider that does not
// answer stops no release: traffic can go back without it.
func (r *run) look(ctx context.Context, c Config, facts *Facts) {
	if c.Runs == nil {
		return
	}
	if r.Instances == nil {
		facts.Unseen = "this weft starts and stops nothing"
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	seen, err := r.Instances.Observe(ctx, c.Place())
	switch {
	case err != nil:
		facts.Unseen = err.Error()
	case seen == nil:
		facts.Instances = map[string]instances.Seen{}
	default:
		facts.Instances = seen
	}
}

// hear adds what others say of a version that has traffic.
func (r *run) hear(ctx context.Context, rel *v1alpha1.Release, c Config, facts *Facts) {
	o, s := c.Strategy.Analysis.Others, rel.Status
	if r.Others == nil || !o.Any() || s.Weight == 0 || s.From == "" {
		return
	}
	facts.Said = r.Others(ctx, fmt.Sprintf("%s at %d%%", c.ID, s.Weight), o, opinion.About{
		Namespace: c.Namespace, Application: c.Application, Version: c.Version, Old: s.From,
	})
}

// work does what is stored; what came of it is the strategy's next input.
func (r *run) work(ctx context.Context, c Config, w *instances.Action) {
	if w == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r.answer = Answer{ID: w.ID}
	err := r.equip(ctx, c, w)
	if err == nil {
		err = r.Instances.Do(ctx, *w)
	}
	if err != nil {
		r.answer.Err, r.answer.Refused = err.Error(), errors.Is(err, instances.ErrRefused)
	}
}

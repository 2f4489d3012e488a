package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

// Observe sees objects.
func (o Objects) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	if o.at == nil {
		return pipeline.Fact{}, errNoCluster
	}
	if l.Kind == pipeline.SeeJob {
		return o.observeJob(ctx, namespace, l)
	}
	what, err := data[pipeline.ObjectLook](pipeline.Action{Kind: l.Kind, Data: l.Data})
	if err != nil {
		return pipeline.Fact{}, err
	}
	seen, err := o.together(ctx, namespace, what)
	if err != nil {
		return pipeline.Fact{}, refusal(err)
	}
	text, err := json.Marshal(seen)
	return pipeline.Fact{Data: text}, err
}

// together is what there is of all objects that a look is for.
func (o Objects) together(ctx context.Context, namespace string, what pipeline.ObjectLook) (sum pipeline.ObjectSeen, err error) {
	all, _, err := o.find(ctx, namespace, what.Object)
	if err != nil {
		return sum, err
	}
	sum.Ready = true
	for _, found := range all {
		if len(what.UIDs) > 0 && !slices.Contains(what.UIDs, string(found.GetUID())) {
			continue
		}
		one, err := o.seen(ctx, found)
		if err != nil {
			return sum, err
		}
		sum.Objects++
		sum.Wanted, sum.ReadyNow = sum.Wanted+one.Wanted, sum.ReadyNow+one.ReadyNow
		sum.Ready, sum.Failed = sum.Ready && one.Ready, sum.Failed || one.Failed
		if sum.Why == "" || one.Failed {
			sum.Why = one.Why
		}
	}
	sum.Ready = sum.Ready && sum.Objects > 0
	return sum, nil
}

// seen is what there is of an object. Kinds that say nothing of instances are as they should be.
func (o Objects) seen(ctx context.Context, found object) (pipeline.ObjectSeen, error) {
	w := workload{found.Unstructured}
	switch {
	case found.GetKind() == "Job":
		return o.jobSeen(ctx, w)
	case !isWorkload(found.Unstructured):
		return pipeline.ObjectSeen{Ready: true}, nil
	}
	s := pipeline.ObjectSeen{Wanted: w.replicas(), ReadyNow: number(w.Object, 0, "status", "readyReplicas")}
	fresh := number(w.Object, 0, "status", "updatedReplicas") == s.Wanted && number(w.Object, 0, "status", "replicas") == s.Wanted
	s.Ready = observed(w.Unstructured) && fresh && s.ReadyNow == s.Wanted
	if s.Ready {
		return s, nil
	}
	s.Why = fmt.Sprintf("%d of %d instances are ready", s.ReadyNow, s.Wanted)
	return o.blame(ctx, w, s)
}

// jobSeen is how a Job goes.
func (o Objects) jobSeen(ctx context.Context, w workload) (pipeline.ObjectSeen, error) {
	end, why, err := endOf(w)
	if err != nil || end != "" {
		return pipeline.ObjectSeen{Ready: end == complete, Failed: end == wentWrong, Why: why}, err
	}
	return o.blame(ctx, w, pipeline.ObjectSeen{Why: "it runs"})
}

// blame adds what keeps a workload's pods.
func (o Objects) blame(ctx context.Context, w workload, s pipeline.ObjectSeen) (pipeline.ObjectSeen, error) {
	selector := selectorOf(w)
	if selector == "" {
		return s, nil // its pods are not told from others yet
	}
	all, err := o.at.pods(ctx, w.GetNamespace(), selector)
	if err != nil {
		return s, err
	}
	pods := map[string]instances.Seen{}
	for _, pod := range all {
		see(pods, "", pod, "")
	}
	if found := pods[""]; found.Why != "" {
		s.Why, s.Failed = found.Why, found.Failed
	}
	return s, nil
}

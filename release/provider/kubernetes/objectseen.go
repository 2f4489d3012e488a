package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

// Observe sees an object.
func (o Objects) Observe(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	if o.at == nil {
		return pipeline.Fact{}, errNoCluster
	}
	ref, err := data[pipeline.ObjectRef](pipeline.Action{Kind: l.Kind, Data: l.Data})
	if err != nil {
		return pipeline.Fact{}, err
	}
	seen := pipeline.ObjectSeen{Missing: true}
	found, _, err := o.find(ctx, namespace, ref)
	if err == nil {
		seen, err = o.seen(ctx, found)
	} else if apierrors.IsNotFound(err) {
		err = nil
	}
	if err != nil {
		return pipeline.Fact{}, refusal(err)
	}
	text, err := json.Marshal(seen)
	return pipeline.Fact{Data: text}, err
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
	current := number(w.Object, 0, "status", "observedGeneration") >= int(w.GetGeneration())
	fresh := number(w.Object, 0, "status", "updatedReplicas") == s.Wanted && number(w.Object, 0, "status", "replicas") == s.Wanted
	s.Ready = current && fresh && s.ReadyNow == s.Wanted
	if s.Ready {
		return s, nil
	}
	s.Why = fmt.Sprintf("%d of %d instances are ready", s.ReadyNow, s.Wanted)
	return o.blame(ctx, w, s)
}

// jobSeen is how a Job goes.
func (o Objects) jobSeen(ctx context.Context, w workload) (pipeline.ObjectSeen, error) {
	all, err := conditions(w)
	if err != nil {
		return pipeline.ObjectSeen{}, err
	}
	for _, c := range all {
		switch {
		case c.Status == "True" && c.Type == "Complete":
			return pipeline.ObjectSeen{Ready: true}, nil
		case c.Status == "True" && c.Type == "Failed":
			return pipeline.ObjectSeen{Failed: true, Why: c.Reason + ": " + c.Message}, nil
		}
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

package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/release/pipeline"
)

// Conditions of a Job that has ended.
const (
	complete  = "Complete"
	wentWrong = "Failed"
)

// crashes are restarted by the pod itself, as often as the Job says.
const crashes = "CrashLoopBackOff"

// endOf is how a Job has ended; "": it has not.
func endOf(job workload) (end, why string, err error) {
	all, err := conditions(job)
	for _, c := range all {
		switch {
		case c.Status == "True" && c.Type == complete:
			return complete, "", nil
		case c.Status == "True" && c.Type == wentWrong:
			return wentWrong, c.Reason + ": " + c.Message, nil
		}
	}
	return "", "", err
}

func (o Objects) observeJob(ctx context.Context, namespace string, l pipeline.Look) (pipeline.Fact, error) {
	what, err := data[pipeline.JobLook](pipeline.Action{Kind: l.Kind, Data: l.Data})
	if err != nil {
		return pipeline.Fact{}, err
	}
	seen, err := o.seeJob(ctx, namespace, what)
	if err != nil {
		return pipeline.Fact{}, refusal(err)
	}
	text, err := json.Marshal(seen)
	return pipeline.Fact{Data: text}, err
}

// seeJob is what there is of a Job that a stage made.
func (o Objects) seeJob(ctx context.Context, namespace string, what pipeline.JobLook) (pipeline.JobSeen, error) {
	all, _, err := o.find(ctx, namespace, pipeline.ObjectRef{APIVersion: "batch/v1", Kind: "Job", Name: what.Name})
	if err != nil || len(all) == 0 {
		return pipeline.JobSeen{Missing: err == nil}, err
	}
	job := workload{all[0].Unstructured}
	end, why, err := endOf(job)
	if err != nil {
		return pipeline.JobSeen{}, err
	}
	var found []corev1.Pod
	if selector := selectorOf(job); selector != "" {
		if found, err = o.at.pods(ctx, namespace, selector); err != nil {
			return pipeline.JobSeen{}, err
		}
	}
	slices.SortStableFunc(found, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	switch end {
	case "":
		return running(found), nil
	case wentWrong:
		return o.wrong(ctx, found, why), nil
	}
	return o.gave(ctx, found, what)
}

// running is how a Job stands that has not ended.
func running(all []corev1.Pod) pipeline.JobSeen {
	for _, pod := range all {
		if why, lasting := trouble(pod); why != "" {
			never := lasting && !strings.Contains(why, crashes)
			return pipeline.JobSeen{Why: why, Ended: never, Failed: never}
		}
	}
	return pipeline.JobSeen{Why: "it runs"}
}

// wrong is why a Job failed, by its last pod that did.
func (o Objects) wrong(ctx context.Context, all []corev1.Pod, why string) pipeline.JobSeen {
	seen := pipeline.JobSeen{Ended: true, Failed: true, Why: why}
	for _, pod := range slices.Backward(all) {
		for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			t := cmp.Or(c.State.Terminated, c.LastTerminationState.Terminated)
			if t == nil || t.ExitCode == 0 {
				continue
			}
			text, err := o.log(ctx, pod, c.Name)
			if err != nil {
				text = t.Message // the node kept the last lines there
			}
			seen.Log = tail(text, maxLog)
			seen.Why = fmt.Sprintf("container %s of pod %s: exit code %d, %s; %s", c.Name, pod.Name, t.ExitCode, t.Reason, why)
			if last := tail(text, maxWhy); last != "" {
				seen.Why += "; it said at last: " + strings.ReplaceAll(last, "\n", " | ")
			}
			return seen
		}
	}
	return seen
}

// gave is what a Job that is complete said.
func (o Objects) gave(ctx context.Context, all []corev1.Pod, what pipeline.JobLook) (pipeline.JobSeen, error) {
	seen := pipeline.JobSeen{Ended: true}
	i := slices.IndexFunc(all, func(pod corev1.Pod) bool { return pod.Status.Phase == corev1.PodSucceeded })
	if i < 0 {
		return seen, nil // its pods are gone: there is nothing to read
	}
	pod := all[i]
	name := cmp.Or(what.Container, pod.Spec.Containers[0].Name)
	at := slices.IndexFunc(pod.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool { return c.Name == name })
	if at < 0 {
		seen.Failed, seen.Why = true, fmt.Sprintf("it is complete, and its pod %s has no container %s, whose output counts", pod.Name, name)
		return seen, nil
	}
	text, err := o.log(ctx, pod, name)
	if err != nil && what.OutputsFrom == fromLog {
		return pipeline.JobSeen{}, err
	}
	seen.Log = tail(text, maxLog)
	if t := pod.Status.ContainerStatuses[at].State.Terminated; t != nil && what.OutputsFrom == fromFile {
		text = t.Message
	}
	if seen.Outputs, err = outputs(text, what.OutputsFrom); err != nil {
		seen.Failed, seen.Why = true, fmt.Sprintf("it is complete, and its outputs are not: %v", err)
	}
	return seen, nil
}

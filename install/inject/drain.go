package inject

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

const (
	drainSeconds = 5  // until every caller knows, also where the API server or weft has just been away
	defaultGrace = 30 // Kubernetes' own, seconds
)

// drained has the application of a pod that leaves serve on until its callers know:
// Kubernetes tells them and stops it at the same moment. A container with a stop hook of its own
// keeps that; what runs to its end is called by nobody.
func (p *patch) drained(pod *corev1.Pod) error {
	seconds, err := drainOf(pod)
	if err != nil || seconds == 0 || pod.Spec.RestartPolicy != "" && pod.Spec.RestartPolicy != corev1.RestartPolicyAlways {
		return err
	}
	hook := corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: seconds}}
	for i, c := range pod.Spec.Containers {
		path := fmt.Sprintf("/spec/containers/%d/lifecycle", i)
		switch {
		case c.Lifecycle == nil:
			p.do("add", path, corev1.Lifecycle{PreStop: &hook})
		case c.Lifecycle.PreStop == nil:
			p.do("add", path+"/preStop", hook)
		}
	}
	return nil
}

// drainOf is for how long, in seconds: half of the grace period at most, where the
// pod does not say.
func drainOf(pod *corev1.Pod) (int64, error) {
	grace := int64(defaultGrace)
	if g := pod.Spec.TerminationGracePeriodSeconds; g != nil {
		grace = *g
	}
	text, given := pod.Annotations[drainAnnotation]
	if !given {
		return min(drainSeconds, grace/2), nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 || seconds > grace {
		return 0, fmt.Errorf("annotation %s %q: use a number of seconds from 0 to the pod's grace period, %d", drainAnnotation, text, grace)
	}
	return seconds, nil
}

package stage

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/validation/path"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// apiVersions of Kubernetes' own kinds, where a stage names none.
var apiVersions = map[string]string{
	"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1",
	"Job": "batch/v1", "CronJob": "batch/v1",
	"ConfigMap": "v1", "Pod": "v1", "Service": "v1", "ServiceAccount": "v1", "PersistentVolumeClaim": "v1",
	"HorizontalPodAutoscaler": "autoscaling/v2", "PodDisruptionBudget": "policy/v1",
	"Ingress": "networking.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1",
}

var (
	kindShape    = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,62}$`)
	versionShape = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?v[0-9]+((alpha|beta)[0-9]+)?$`)
)

// refOf is what a stage names, if it is something that a run may change. Kinds are those that can be; none: all.
func refOf(namespace string, t v1alpha1.ObjectTarget, kinds ...string) (pipeline.ObjectRef, error) {
	ref := pipeline.ObjectRef{APIVersion: cmp.Or(t.APIVersion, apiVersions[t.Kind]), Kind: t.Kind, Name: t.Name, Selector: t.Selector}
	switch {
	case !kindShape.MatchString(t.Kind):
		return ref, fmt.Errorf("object.kind: %q is none: give one such as Deployment", t.Kind)
	case ref.APIVersion == "":
		return ref, fmt.Errorf("object.apiVersion: it is not known for %s: give one such as example.com/v1", t.Kind)
	case !versionShape.MatchString(ref.APIVersion):
		return ref, fmt.Errorf("object.apiVersion: %q is none: give one such as apps/v1", ref.APIVersion)
	case len(kinds) > 0 && !slices.Contains(kinds, t.Kind):
		return ref, fmt.Errorf("object.kind: this cannot be done with %s, only with %s", t.Kind, strings.Join(kinds, " and "))
	case t.Namespace != "" && t.Namespace != namespace:
		return ref, fmt.Errorf("object.namespace: a run of namespace %s changes nothing in %s: make a pipeline there", namespace, t.Namespace)
	case (t.Name == "") == (t.Selector == ""):
		return ref, fmt.Errorf("object: give it a name or a selector, one of them")
	}
	if wrong := path.IsValidPathSegmentName(t.Name); len(wrong) > 0 || len(t.Name) > 253 {
		return ref, fmt.Errorf("object.name: %q is none: at most 253 characters, without / and %%", t.Name)
	}
	if t.Selector != "" {
		return ref, narrow(t.Selector)
	}
	return ref, nil
}

// narrow says what is wrong with a selector. One that only says what is not there takes almost everything.
func narrow(selector string) error {
	parsed, err := labels.Parse(selector)
	if err != nil {
		return fmt.Errorf("object.selector: %q: %w", selector, err)
	}
	all, _ := parsed.Requirements()
	if !slices.ContainsFunc(all, positive) {
		return fmt.Errorf("object.selector: %q takes what has no such label, too: say which labels there have to be", selector)
	}
	return nil
}

func positive(r labels.Requirement) bool {
	return slices.Contains([]selection.Operator{selection.Equals, selection.DoubleEquals, selection.In, selection.Exists}, r.Operator())
}

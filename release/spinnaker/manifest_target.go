package spinnaker

import (
	"errors"
	"fmt"
	"strings"

	"weft.dev/api/v1alpha1"
)

const (
	maxKind     = 256
	maxSelector = 1024
)

// targetKeys are the fields by which a stage says which objects it means.
var targetKeys = []string{"account", "credentials", "location", "namespace", "app", "mode", "manifestName", "kind", "kinds", "cluster", "criteria", "labelSelectors"}

// ownKinds are Kubernetes' own kinds of a namespace, by Spinnaker's names, which are in any case of letters.
var ownKinds = map[string]string{}

func init() {
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod", "Job", "CronJob", "Service", "Ingress", "ConfigMap",
		"HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount", "PersistentVolumeClaim"} {
		ownKinds[strings.ToLower(kind)] = kind
	}
}

// target is which objects the stage means.
func (j *job) target() (*v1alpha1.ObjectTarget, error) {
	t := &v1alpha1.ObjectTarget{}
	kind, name := text(j.raw["kind"]), ""
	switch mode := text(j.raw["mode"]); mode {
	case "", "static":
		var spaced bool
		if kind, name, spaced = strings.Cut(strings.TrimSpace(text(j.raw["manifestName"])), " "); !spaced {
			return nil, errors.New("manifestName: it is not KIND NAME")
		}
	case "label":
		if kinds := texts(j.raw["kinds"]); len(kinds) == 1 {
			kind = kinds[0]
		} else if len(kinds) > 1 {
			return nil, fmt.Errorf("kinds: there are %d, and a stage is of one: make a stage of each", len(kinds))
		}
		selector, err := j.selector()
		if err != nil {
			return nil, named("labelSelectors", err)
		}
		t.Selector = selector
	default:
		return nil, fmt.Errorf("mode %q: which object is the %s one, Spinnaker's names say alone: name it", cut(mode, 40), cut(text(j.raw["criteria"]), 40))
	}
	if t.Kind = ownKinds[strings.ToLower(kind)]; t.Kind == "" {
		return nil, fmt.Errorf("kind %q is none of Kubernetes' own that a run may change, and its apiVersion is not said", cut(kind, 80))
	}
	if name == "" && t.Selector == "" {
		return nil, errors.New("it names no object")
	}
	var err error
	if t.Name, err = j.within("manifestName", name, maxKind); err != nil {
		return nil, err
	}
	t.Namespace, err = j.namespace()
	return t, err
}

// namespace is where the stage's objects are. A run in another one is refused: so it never
// meets objects that only have the name.
func (j *job) namespace() (string, error) {
	at := text(j.raw["location"])
	if at == "" {
		at = text(j.raw["namespace"])
	}
	if account := text(j.raw["account"]); account != "" {
		j.note(Changed, "account", "it is in the cluster that weft runs in, and not in that of account %s", cut(account, 80))
	}
	if at != "" {
		j.note(Changed, "location", "its pipeline has to be in namespace %s", cut(at, 80))
	}
	return j.within("location", at, maxKind)
}

// labelConditions are how Kubernetes writes Spinnaker's conditions on a label.
var labelConditions = map[string]string{
	"EQUALS": "%s = %s", "NOT_EQUALS": "%s != %s", "CONTAINS": "%s in (%s)", "NOT_CONTAINS": "%s notin (%s)", "EXISTS": "%s", "NOT_EXISTS": "!%s",
}

// selector is what the labels have to be.
func (j *job) selector() (string, error) {
	all, _ := j.raw["labelSelectors"].(object)
	var terms []string
	for _, one := range objects(all["selectors"]) {
		kind, values := text(one["kind"]), texts(one["values"])
		format, known := labelConditions[kind]
		switch {
		case !known:
			return "", fmt.Errorf("weft has no condition %q", cut(kind, 40))
		case strings.Count(format, "%s") == 1:
			terms = append(terms, fmt.Sprintf(format, text(one["key"])))
		case len(values) == 0, len(values) > 1 && !strings.Contains(format, "("):
			return "", fmt.Errorf("%s of %d values", kind, len(values))
		default:
			terms = append(terms, fmt.Sprintf(format, text(one["key"]), strings.Join(values, ",")))
		}
	}
	if len(terms) == 0 {
		return "", errors.New("there are none, and nothing but all objects would be meant")
	}
	return j.within("selectors", strings.Join(terms, ","), maxSelector)
}

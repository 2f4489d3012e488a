package kubernetes

import (
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weft.dev/release/instances"
)

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

func (p *play) own(version, image string) instances.Action {
	a := p.action(instances.Deploy, version, 0)
	a.Image, a.Manifests = "", manifests(version, image)
	return a
}

// A version of its own manifests leaves the team's workload as it is, and goes whole.
func TestOwnBesideTeam(t *testing.T) {
	p := newPlay(t)
	p.put(t, deployments, "Deployment", reviews())
	p.passes()
	before := asJSON(p.deployment())
	if err := p.Do(t.Context(), p.own("v2", "good")); err != nil {
		t.Fatal(err)
	}
	p.passes()
	p.want("v1", 2, 2)
	p.want("v2", 2, 2) // as many as the largest
	for _, d := range typed[appsv1.Deployment](t, p.cluster, deployments) {
		if l := d.Spec.Template.Labels; d.Name == "reviews-v2" && (l["version"] != "v2" || l["own"] != "v2" || d.Labels[VersionLabel] != "v2") {
			t.Errorf("%v, pods %v", d.Labels, l)
		} else if is := asJSON(d); d.Name == "reviews" && is != before {
			t.Errorf("it was %s\nand is %s", before, is)
		}
	}
	p.do(instances.Scale, "v2", 3)
	p.want("v2", 3, 3)
	p.do(instances.Delete, "v2", 0)
	p.want("v2", 0, 0)
	if left := len(typed[corev1.ConfigMap](t, p.cluster, configMaps)); left != 0 {
		t.Errorf("%d ConfigMaps are left", left)
	}
	p.want("v1", 2, 2)
}

func TestOwnRefusals(t *testing.T) {
	p := newPlay(t)
	p.put(t, deployments, "Deployment", reviews())
	for want, text := range map[string]string{
		"it is there, and not of reviews v2": strings.ReplaceAll(string(manifests("v2", "good")), "{name: reviews-v2}", "{name: reviews}"),
		"neither a Deployment nor":           "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}",
		"has no metadata.name":               "apiVersion: v1\nkind: ConfigMap",
		"is of the whole cluster":            "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}",
		"is for namespace kube-system":       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: kube-system}",
		"is weft's own":                      "apiVersion: weft.dev/v1alpha1\nkind: Decision\nmetadata: {name: a}",
		"document 1":                         "a: [",
		"metadata.labels":                    strings.ReplaceAll(string(manifests("v2", "good")), "{name: reviews-v2}", "{name: reviews-v2, labels: {a: 1}}"),
		"no matches for kind":                "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}",
	} {
		a := p.own("v2", "good")
		a.Manifests = []byte(text)
		if err := p.Do(t.Context(), a); !errors.Is(err, instances.ErrRefused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if n := len(typed[appsv1.Deployment](t, p.cluster, deployments)); n != 1 {
		t.Errorf("%d Deployments", n)
	}
}

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	authv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weft.dev/api"
)

// Finding is one thing that was looked at.
type Finding struct {
	Group  string `json:"group"`
	What   string `json:"what"`
	OK     bool   `json:"ok"`
	Remedy string `json:"remedy,omitempty"` // of what is not: the fault, and what helps
}

// check collects findings.
type check struct {
	*Cluster
	group    string
	findings []Finding
}

// note says what was looked at; no remedy: it is well.
func (k *check) note(what, remedy string) {
	k.findings = append(k.findings, Finding{k.group, what, remedy == "", remedy})
}

const (
	oldestMinor = 30 // of Kubernetes 1: native sidecars and hooks that sleep are on from there
	oldestLinux = "4.18"
	maxSkew     = time.Minute // certificates are valid from a little before they are made
)

// CheckPre says whether the cluster can take the objects, and what is in the way.
// An error is that nobody answers.
func (c *Cluster) CheckPre(ctx context.Context, objects []*unstructured.Unstructured) ([]Finding, error) {
	k := &check{Cluster: c, group: "cluster"}
	if err := k.version(); err != nil {
		return nil, err
	}
	k.clock(ctx)
	k.nodes(ctx)
	k.group = "permissions"
	if err := k.permissions(ctx, objects); err != nil {
		return nil, err
	}
	k.group = "kinds"
	if err := k.kinds(ctx); err != nil {
		return nil, err
	}
	k.group = "other meshes"
	k.otherMeshes(ctx)
	return k.findings, nil
}

func (k *check) version() error {
	v, err := k.server.ServerVersion()
	if err != nil {
		return err
	}
	minor, _ := strconv.Atoi(strings.TrimRight(v.Minor, "+"))
	remedy := ""
	if v.Major == "1" && minor < oldestMinor {
		remedy = fmt.Sprintf("proxies need containers that start before the application and end after it: upgrade to 1.%d or later", oldestMinor)
	}
	k.note("Kubernetes "+v.GitVersion, remedy)
	return nil
}

func (k *check) clock(ctx context.Context) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.Host+"/version", nil)
	if err != nil {
		return
	}
	response, err := k.http.Do(request)
	if err != nil {
		return // version has been asked the same
	}
	response.Body.Close()
	theirs, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return // a proxy is in between, which does not say
	}
	skew, remedy := time.Since(theirs).Truncate(time.Second), ""
	if skew.Abs() > maxSkew {
		remedy = "certificates would not be valid yet, or not any more: set the clocks by NTP"
	}
	k.note(fmt.Sprintf("the API server's clock is %v from this machine's", skew.Abs()), remedy)
}

func (k *check) nodes(ctx context.Context) {
	nodes, err := k.objects.Resource(nodeResource).List(ctx, metav1.ListOptions{})
	if err != nil {
		k.note("nodes", "cannot be read ("+err.Error()+"): their kernels and kubelets are not checked")
		return
	}
	var old []string
	for _, node := range nodes.Items {
		info, _, _ := unstructured.NestedStringMap(node.Object, "status", "nodeInfo")
		if info["operatingSystem"] == "linux" && (before(info["kernelVersion"], oldestLinux) || before(strings.TrimPrefix(info["kubeletVersion"], "v"), fmt.Sprintf("1.%d", oldestMinor))) {
			old = append(old, fmt.Sprintf("%s (Linux %s, kubelet %s)", node.GetName(), info["kernelVersion"], info["kubeletVersion"]))
		}
	}
	remedy := ""
	if len(old) > 0 {
		remedy = fmt.Sprintf("%s: pods there cannot be redirected by nftables or have no native sidecars: use Linux %s and Kubernetes 1.%d or later", strings.Join(old, ", "), oldestLinux, oldestMinor)
	}
	k.note(fmt.Sprintf("%d nodes have nftables and native sidecars", len(nodes.Items)), remedy)
}

// before compares the first two numbers of versions.
func before(version, than string) bool {
	return slices.Compare(numbers(version), numbers(than)) < 0
}

func numbers(version string) []int {
	all := make([]int, 2)
	for i, text := range strings.SplitN(version, ".", 3)[:min(2, strings.Count(version, ".")+1)] {
		all[i], _ = strconv.Atoi(strings.TrimFunc(text, func(r rune) bool { return r < '0' || r > '9' }))
	}
	return all
}

// permissions asks for everything that installing does.
func (k *check) permissions(ctx context.Context, objects []*unstructured.Unstructured) error {
	wanted := map[string]*authv1.ResourceAttributes{
		"customresourcedefinitions": {Group: crdResource.Group, Resource: crdResource.Resource},
	}
	for _, o := range k.Served(objects) {
		kind := o.GroupVersionKind()
		mapping, err := k.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err == nil {
			wanted[mapping.Resource.Resource] = &authv1.ResourceAttributes{Group: kind.Group, Resource: mapping.Resource.Resource, Namespace: o.GetNamespace()}
		}
	}
	var denied []string
	for name, attributes := range wanted {
		for _, verb := range []string{"create", "patch"} {
			attributes.Verb = verb
			review := &authv1.SelfSubjectAccessReview{Spec: authv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes}}
			answer, err := k.reviews.Create(ctx, review, metav1.CreateOptions{})
			if err != nil {
				return err
			}
			if !answer.Status.Allowed {
				denied = append(denied, verb+" "+name)
			}
		}
	}
	slices.Sort(denied)
	remedy := ""
	if len(denied) > 0 {
		remedy = "not allowed: " + strings.Join(denied, ", ") + ": have an administrator of the cluster install, or bind cluster-admin to yourself"
	}
	k.note(fmt.Sprintf("%d kinds of objects may be made", len(wanted)), remedy)
	return nil
}

// kinds looks at CRDs that others brought.
func (k *check) kinds(ctx context.Context) error {
	crds, err := CRDs()
	if err != nil {
		return err
	}
	there := 0
	for _, crd := range crds {
		found, err := k.objects.Resource(crdResource).Get(ctx, crd.GetName(), metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		there++
		for _, info := range api.Kinds() {
			if info.Resource+"."+info.Version.Group == crd.GetName() && !serves(found, info.Version.Version) {
				k.note(crd.GetName(), fmt.Sprintf("it does not serve the version %s, which weft reads: upgrade the CRD with who brought it", info.Version.Version))
			}
		}
	}
	k.note(fmt.Sprintf("%d of %d kinds are there, the others come with weft", there, len(crds)), "")
	return nil
}

func serves(crd *unstructured.Unstructured, version string) bool {
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	return slices.ContainsFunc(versions, func(v any) bool {
		m, _ := v.(map[string]any)
		return m["name"] == version && m["served"] == true
	})
}

// otherMeshes looks for who else gives proxies to pods.
func (k *check) otherMeshes(ctx context.Context) {
	hooks, err := k.objects.Resource(webhookResource).List(ctx, metav1.ListOptions{})
	if err != nil {
		k.note("injection", "webhooks cannot be read ("+err.Error()+"): whether another mesh injects is not checked")
		return
	}
	found := false
	for _, h := range hooks.Items {
		switch name := h.GetName(); {
		case strings.HasPrefix(name, "istio-sidecar-injector"), strings.HasPrefix(name, "istio-revision-tag"):
			found = true
			k.note(name, "Istio injects by labels that weft understands, too: install with --set injection.istioLabels=false, and move namespaces one after the other by weft.dev/inject=enabled instead of istio-injection")
		case strings.Contains(name, "linkerd") || strings.Contains(name, "consul-connect") || strings.Contains(name, "kuma"):
			found = true
			k.note(name, "another mesh injects: let no namespace ask for both")
		}
	}
	if !found {
		k.note("nobody else injects proxies", "")
	}
}

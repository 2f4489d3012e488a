// Package kubernetes runs versions of applications in a cluster.
//
// A version is of the team's own Deployment or StatefulSet, whose template weft
// changes for a release and whose other fields it puts back when that has ended; or
// it is of manifests that are the version's alone, beside which nothing is touched.
// No object of the team is replaced, renamed or copied. The action that was done
// last stands in an annotation of the object, and each change is of the
// resourceVersion that was read: so two who act at once do what one does.
//
// Input: instances.Actions, and objects of a cluster. Output: changes of them. It
// must not know of traffic.
package kubernetes

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"weft.dev/release/instances"
)

// Labels and annotations of what weft changes.
const (
	ApplicationLabel   = "weft.dev/application" // of the objects and pods of a version's own manifests
	VersionLabel       = "weft.dev/version"     // the same
	MemoryAnnotation   = "weft.dev/instances"   // what weft did with an object, and what it puts back
	RestartAnnotation  = "weft.dev/restarted"   // of a template: the action that restarted it
	templateVersion    = "version"              // the label of pods that the mesh tells versions by
	templateVersionToo = "app.kubernetes.io/version"

	weftGroup = "weft.dev" // of weft's own kinds

	// manager is who weft is for the API server, where it starts and stops versions.
	manager = "weft-instances"
)

// Mapper says which resource the objects of a kind are.
type Mapper interface {
	RESTMapping(gk schema.GroupKind, versions ...string) (*meta.RESTMapping, error)
}

// Options are what a provider may be told.
type Options struct {
	Own  string // weft's own namespace, in which nothing is changed; empty: it has none
	Logs Logs   // nil: nobody reads the logs of Jobs
}

// Provider runs versions in one cluster.
type Provider struct {
	client dynamic.Interface
	mapper Mapper
	Options
}

// New makes one that acts as the client may.
func New(client dynamic.Interface, mapper Mapper, o Options) *Provider {
	return &Provider{client, mapper, o}
}

var _ instances.Provider = (*Provider)(nil)

// tries of a change that another one came before.
const tries = 5

// Do changes a version.
func (p *Provider) Do(ctx context.Context, a instances.Action) (err error) {
	if err := a.Check(); err != nil {
		return err
	}
	for range tries {
		if err = p.do(ctx, a); !apierrors.IsConflict(err) {
			break
		}
	}
	return refusal(err)
}

// refusal is the error, marked where repeating cannot mend it.
func refusal(err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%w: %w; the chart's value deploys lets weft start and stop versions", instances.ErrRefused, err)
	}
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsUnsupportedMediaType(err) || meta.IsNoMatchError(err) {
		return fmt.Errorf("%w: %w", instances.ErrRefused, err)
	}
	return err
}

func (p *Provider) do(ctx context.Context, a instances.Action) error {
	team, err := p.team(ctx, a.Target)
	if err != nil {
		return err
	}
	own, err := p.own(ctx, a.Target, a.Version)
	switch {
	case err != nil:
		return err
	case len(a.Manifests) > 0:
		return p.deployOwn(ctx, a)
	case len(own) > 0:
		return p.changeOwn(ctx, own, a)
	case team != nil:
		return p.changeTeam(ctx, *team, a)
	case a.Verb == instances.Delete:
		return nil
	case a.Verb == instances.Deploy:
		return fmt.Errorf("%w: there is no %s %s/%s to give an image to: make it, or give the deploy manifests",
			instances.ErrRefused, kindOf(a.Target), a.Target.Namespace, nameOf(a.Target))
	}
	return a.Missing()
}

// Observe finds the versions of an application.
func (p *Provider) Observe(ctx context.Context, t instances.Target) (map[string]instances.Seen, error) {
	team, err := p.team(ctx, t)
	if err != nil {
		return nil, refusal(err)
	}
	own, err := p.own(ctx, t, "")
	if err != nil {
		return nil, refusal(err)
	}
	seen := map[string]instances.Seen{}
	if team != nil {
		if err := p.seeTeam(ctx, t, *team, seen); err != nil {
			return nil, err
		}
	}
	return seen, p.seeOwn(ctx, t, own, seen)
}

// workload is a Deployment or StatefulSet.
type workload struct{ *unstructured.Unstructured }

func (w workload) String() string {
	return fmt.Sprintf("%s %s/%s", w.GetKind(), w.GetNamespace(), w.GetName())
}

// replicas that its spec says.
func (w workload) replicas() int { return number(w.Object, 1, "spec", "replicas") }

// version that its template says; empty: none.
func (w workload) version() string {
	return versionOf(labels(w.Object, "spec", "template", "metadata", "labels"))
}

// versionOf is the version that a pod's labels say, as for the mesh.
func versionOf(labels map[string]string) string {
	if v, ok := labels[templateVersion]; ok {
		return v
	}
	return labels[templateVersionToo]
}

func labels(o map[string]any, path ...string) map[string]string {
	found, _, _ := unstructured.NestedStringMap(o, path...)
	return found
}

// number is an integer of an object, whose numbers JSON made.
func number(o map[string]any, otherwise int, path ...string) int {
	value, _, _ := unstructured.NestedFieldNoCopy(o, path...)
	switch n := value.(type) {
	case int64:
		return int(n)
	case float64:
		return int(n)
	}
	return otherwise
}

// Resources that are named here; what manifests have besides, the mapper finds.
var (
	deployments  = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	statefulSets = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"}
	replicaSets  = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}
	jobs         = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
	autoscalers  = schema.GroupVersionResource{Group: "autoscaling", Version: "v2", Resource: "horizontalpodautoscalers"}
	pods         = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

const statefulSet = "StatefulSet"

// kindOf and nameOf are those of the team's workload.
func kindOf(t instances.Target) string {
	if t.Runs.Kubernetes.Kind != "" {
		return t.Runs.Kubernetes.Kind
	}
	return "Deployment"
}

func nameOf(t instances.Target) string {
	if t.Runs.Kubernetes.Name != "" {
		return t.Runs.Kubernetes.Name
	}
	return t.Application
}

func resourceOf(kind string) schema.GroupVersionResource {
	if kind == statefulSet {
		return statefulSets
	}
	return deployments
}

// team is the team's workload; nil: there is none, or the object of that name is a version's own.
func (p *Provider) team(ctx context.Context, t instances.Target) (*workload, error) {
	u, err := p.client.Resource(resourceOf(kindOf(t))).Namespace(t.Namespace).Get(ctx, nameOf(t), metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && u.GetLabels()[ApplicationLabel] != "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &workload{u}, nil
}

// list reads the objects of a resource that a selector takes.
func (p *Provider) list(ctx context.Context, what schema.GroupVersionResource, namespace, selector string) ([]unstructured.Unstructured, error) {
	all, err := p.client.Resource(what).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	return all.Items, nil
}

// merge changes fields of an object as it was read.
func (p *Provider) merge(ctx context.Context, what schema.GroupVersionResource, o *unstructured.Unstructured, fields map[string]any) error {
	if err := unstructured.SetNestedField(fields, o.GetResourceVersion(), "metadata", "resourceVersion"); err != nil {
		return err
	}
	patch, err := (&unstructured.Unstructured{Object: fields}).MarshalJSON()
	if err != nil {
		return err
	}
	_, err = p.client.Resource(what).Namespace(o.GetNamespace()).Patch(ctx, o.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: manager})
	return err
}

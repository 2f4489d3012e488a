// Package cluster puts weft into a Kubernetes cluster, takes it out, and checks
// whether both can work.
//
// Input: a connection to the cluster, and the objects that the chart made. What
// must stay true: nothing of an application is changed, and what other meshes
// brought, their CRDs above all, is neither replaced nor removed.
package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// Cluster is a connection to one.
type Cluster struct {
	Host    string // of its API server
	objects dynamic.Interface
	server  *discovery.DiscoveryClient
	mapper  *restmapper.DeferredDiscoveryRESTMapper
	reviews authorization.SelfSubjectAccessReviewInterface
	http    *http.Client
}

// Connect makes the connection; it asks nothing yet.
func Connect(config *rest.Config) (*Cluster, error) {
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	server, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	access, err := authorization.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(server))
	return &Cluster{config.Host, objects, server, mapper, access.SelfSubjectAccessReviews(), client}, nil
}

// fieldManager is whose fields server-side apply takes them for. Those that the
// running server writes have another one.
const fieldManager = "weft-install"

// Apply makes the objects so, in their order, and says each.
func (c *Cluster) Apply(ctx context.Context, objects []*unstructured.Unstructured, dryRun bool, say func(string)) error {
	options := metav1.PatchOptions{FieldManager: fieldManager, Force: new(true), FieldValidation: metav1.FieldValidationStrict}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	for _, o := range objects {
		resource, err := c.resource(o)
		if err != nil {
			return err
		}
		body, err := json.Marshal(o)
		if err != nil {
			return err
		}
		_, err = resource.Patch(ctx, o.GetName(), types.ApplyPatchType, body, options)
		// Nothing is in a namespace that a dry run has not made.
		if dryRun && apierrors.IsNotFound(err) && o.GetNamespace() != "" {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", nameOf(o), err)
		}
		say(nameOf(o))
	}
	return nil
}

// Remove takes the objects away, the last one first, and says each that there was.
func (c *Cluster) Remove(ctx context.Context, objects []*unstructured.Unstructured, say func(string)) error {
	var left []error
	for i := range objects {
		o := objects[len(objects)-1-i]
		resource, err := c.resource(o)
		if err == nil {
			err = resource.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)})
		}
		switch {
		case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		case err != nil:
			left = append(left, fmt.Errorf("%s: %w", nameOf(o), err))
		default:
			say(nameOf(o))
		}
	}
	return errors.Join(left...)
}

func (c *Cluster) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", nameOf(o), err)
	}
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		return c.objects.Resource(mapping.Resource).Namespace(o.GetNamespace()), nil
	}
	return c.objects.Resource(mapping.Resource), nil
}

func nameOf(o *unstructured.Unstructured) string {
	return strings.ToLower(o.GetKind()) + "/" + o.GetName()
}

// What is read here, beside what is applied.
var (
	crdResource        = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	deploymentResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	podResource        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	nodeResource       = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	webhookResource    = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "mutatingwebhookconfigurations"}
	validatingResource = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingwebhookconfigurations"}
	policyResource     = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"}
	bindingResource    = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"}
)

// Served are those of objects whose kind the API server knows.
func (c *Cluster) Served(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	var all []*unstructured.Unstructured
	for _, o := range objects {
		if _, err := c.resource(o); !meta.IsNoMatchError(err) {
			all = append(all, o)
		}
	}
	return all
}

// Others says whether there are control planes of other revisions.
func (c *Cluster) Others(ctx context.Context, namespace, revision string) (bool, error) {
	selector := "app.kubernetes.io/part-of=weft,weft.dev/revision,weft.dev/revision!=" + revision
	list, err := c.objects.Resource(deploymentResource).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return false, err
	}
	return len(list.Items) > 0, nil
}

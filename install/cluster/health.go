package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"weft.dev/model"
)

// What injection writes on pods, and what asks for it on namespaces.
const (
	whyNot        = "weft.dev/not-injected"
	askingForPods = model.InjectLabel + "=" + model.InjectEnabled
	maxNamed      = 5 // pods named in one remedy
)

// Check says whether a control plane serves, whether names in its objects count, and
// whether pods have the proxies that they should have.
func (c *Cluster) Check(ctx context.Context, p Plane) ([]Finding, error) {
	k := &check{Cluster: c, group: "control plane"}
	if err := k.version(); err != nil {
		return nil, err
	}
	missing, err := c.Missing(ctx, p)
	switch {
	case apierrors.IsNotFound(err):
		missing = "it is not there: weft install"
	case err != nil:
		return nil, err
	}
	k.note(p.Name+" serves", missing)
	_, unvouched := c.Vouched(ctx)
	k.note("who judges, runs, releases and freezes is who it says", unvouched)
	k.freezes(ctx)
	k.group = "pods"
	err = k.pods(ctx)
	return k.findings, err
}

// FreezesName is that of the webhook by which an API server asks whether somebody may freeze an application.
const FreezesName = "weft-freezes"

// freezes looks whether it asks: where it does not, who may freeze some applications may freeze all.
func (k *check) freezes(ctx context.Context) {
	o, err := k.objects.Resource(validatingResource).Get(ctx, FreezesName, metav1.GetOptions{})
	remedy := ""
	switch {
	case err != nil:
		remedy = fmt.Sprintf("the ValidatingWebhookConfiguration %s cannot be read (%v): weft install, or helm upgrade, brings it", FreezesName, err)
	case !trusted(o):
		remedy = nameOf(o) + " has no certificate authority yet: weft writes it when it starts; until then who may freeze some applications may freeze none"
	case !failsClosed(o):
		remedy = nameOf(o) + " lets through what weft does not answer: weft install, or helm upgrade, brings another one"
	}
	k.note("who freezes an application has its role", remedy)
}

func failsClosed(hooks *unstructured.Unstructured) bool {
	all, _, _ := unstructured.NestedSlice(hooks.Object, "webhooks")
	return !slices.ContainsFunc(all, func(each any) bool {
		hook, _ := each.(map[string]any)
		return hook["failurePolicy"] == "Ignore"
	})
}

func (k *check) pods(ctx context.Context) error {
	pods, err := k.list(ctx, podResource.Resource, metav1.ListOptions{FieldSelector: "status.phase=Running"})
	if err != nil {
		return err
	}
	asking, err := k.list(ctx, "namespaces", metav1.ListOptions{LabelSelector: askingForPods})
	if err != nil {
		return err
	}
	var refused, early []string
	meshed := 0
	for _, pod := range pods {
		wanted := slices.ContainsFunc(asking, func(n unstructured.Unstructured) bool { return n.GetName() == pod.GetNamespace() })
		switch why := pod.GetAnnotations()[whyNot]; {
		case pod.GetDeletionTimestamp() != nil: // its successor is what counts
		case pod.GetLabels()[model.ProxyLabel] != "":
			meshed++
		case why != "":
			refused = append(refused, pod.GetNamespace()+"/"+pod.GetName()+": "+why)
		case wanted && pod.GetLabels()[model.InjectLabel] != "false":
			early = append(early, pod.GetNamespace()+"/"+pod.GetName())
		}
	}
	k.note(fmt.Sprintf("%d pods have a proxy", meshed), "")
	if len(refused) > 0 {
		k.note(fmt.Sprintf("%d pods cannot have one", len(refused)), named(refused)+"; change them, or label them weft.dev/inject=false")
	}
	if len(early) > 0 {
		k.note(fmt.Sprintf("%d pods have none", len(early)), named(early)+" started before their namespace asked, or while weft was down: kubectl rollout restart gives them one")
	}
	return nil
}

func named(all []string) string {
	if len(all) > maxNamed {
		return strings.Join(all[:maxNamed], ", ") + fmt.Sprintf(" and %d more", len(all)-maxNamed)
	}
	return strings.Join(all, ", ")
}

const pageSize = 500

// list reads all objects of a core resource, some at a time.
func (k *check) list(ctx context.Context, resource string, options metav1.ListOptions) ([]unstructured.Unstructured, error) {
	var all []unstructured.Unstructured
	options.Limit = pageSize
	for {
		page, err := k.objects.Resource(podResource.GroupVersion().WithResource(resource)).List(ctx, options)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if options.Continue = page.GetContinue(); options.Continue == "" {
			return all, nil
		}
	}
}

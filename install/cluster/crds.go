package cluster

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/yaml"

	"weft.dev/api"
)

// CRDs are those of every accepted kind.
func CRDs() ([]*unstructured.Unstructured, error) {
	files := api.CRDs()
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, err
	}
	var all []*unstructured.Unstructured
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		crd := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(text, &crd.Object); err != nil {
			return nil, fmt.Errorf("crds/%s: %w", name, err)
		}
		all = append(all, crd)
	}
	return all, nil
}

// IsOurs says whether a CRD is of weft's own kinds.
func IsOurs(crd *unstructured.Unstructured) bool {
	return strings.HasSuffix(crd.GetName(), ".weft.dev")
}

// Wanted are the CRDs that weft has to bring: its own, and those of others that
// are not there. Those that are belong to whoever brought them.
func (c *Cluster) Wanted(ctx context.Context) ([]*unstructured.Unstructured, error) {
	all, err := CRDs()
	if err != nil {
		return nil, err
	}
	var wanted []*unstructured.Unstructured
	for _, crd := range all {
		found, err := c.objects.Resource(crdResource).Get(ctx, crd.GetName(), metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, err
		}
		if err != nil || IsOurs(crd) || managedByUs(found) {
			wanted = append(wanted, crd)
		}
	}
	return wanted, nil
}

func managedByUs(o *unstructured.Unstructured) bool {
	for _, entry := range o.GetManagedFields() {
		if entry.Manager == fieldManager {
			return true
		}
	}
	return false
}

const pollInterval = 200 * time.Millisecond

// AwaitCRDs waits until the API server serves the kinds.
func (c *Cluster) AwaitCRDs(ctx context.Context, crds []*unstructured.Unstructured) error {
	for _, crd := range crds {
		err := wait.PollUntilContextCancel(ctx, pollInterval, true, func(ctx context.Context) (bool, error) {
			found, err := c.objects.Resource(crdResource).Get(ctx, crd.GetName(), metav1.GetOptions{})
			return err == nil && condition(found, "Established"), nil
		})
		if err != nil {
			return fmt.Errorf("%s: the API server does not serve it yet: %w", nameOf(crd), err)
		}
	}
	c.mapper.Reset()
	return nil
}

// condition says whether one of an object's status is True.
func condition(o *unstructured.Unstructured, kind string) bool {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, each := range conditions {
		if c, ok := each.(map[string]any); ok && c["type"] == kind {
			return c["status"] == "True"
		}
	}
	return false
}

package kubernetes

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

// maxTargets is how many objects one action may change.
const maxTargets = 50

// find is the objects that a ref names, and where ones of their kind are.
func (o Objects) find(ctx context.Context, namespace string, r pipeline.ObjectRef) ([]object, dynamic.ResourceInterface, error) {
	u := &unstructured.Unstructured{}
	u.SetAPIVersion(r.APIVersion)
	u.SetKind(r.Kind)
	u.SetName(r.Name)
	placed, err := o.at.place(namespace, u)
	switch {
	case err != nil:
		return nil, nil, err
	case u.GroupVersionKind().GroupKind() == secretKind:
		return nil, nil, fmt.Errorf("%w: %s: a run neither sees nor changes Secrets", instances.ErrRefused, r)
	case (r.Name == "") == (r.Selector == ""):
		return nil, nil, fmt.Errorf("%w: %s: give a name or a selector", instances.ErrRefused, r.Kind)
	}
	at := o.at.client.Resource(placed.what).Namespace(namespace)
	var found []unstructured.Unstructured
	if r.Name != "" {
		if one, missing := at.Get(ctx, r.Name, metav1.GetOptions{}); missing == nil {
			found = append(found, *one)
		} else if !apierrors.IsNotFound(missing) {
			err = missing
		}
	} else {
		found, err = o.at.list(ctx, placed.what, namespace, r.Selector)
	}
	if len(found) > maxTargets {
		err = fmt.Errorf("%w: %s: there are %d, and a stage may change %d: narrow the selector", instances.ErrRefused, r, len(found), maxTargets)
	}
	all := make([]object, len(found))
	for i := range found {
		all[i] = object{&found[i], placed.what}
	}
	return all, at, err
}

var secretKind = schema.GroupKind{Kind: "Secret"}

// free says why an object is not to be changed from beside: it is a version's own, or a release of it goes on.
func free(o object, m memory, byVersion bool) error {
	name := o.GetKind() + " " + o.GetName()
	if of := o.GetLabels()[ApplicationLabel]; of != "" && byVersion {
		return fmt.Errorf("%w: %s is of version %s of %s: name that instead of the object", instances.ErrRefused, name, o.GetLabels()[VersionLabel], of)
	}
	if m.Going != nil {
		return fmt.Errorf("%w: a release of %s goes on: wait for its end, or abort it", instances.ErrRefused, name)
	}
	return nil
}

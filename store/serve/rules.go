package serve

import (
	"context"
	"errors"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/authentication/user"

	"weft.dev/api"
)

// Wish is a write that somebody asks for, of a kind that says who did it.
type Wish struct {
	By        string
	Groups    []string
	Kind      api.Kind
	Namespace string
	// Old is nil where it is made, New where it is deleted.
	Old, New *unstructured.Unstructured
}

// ruler has somebody else say what people may write.
type ruler struct {
	rules func(ctx context.Context, w Wish) error
}

var errNoRules = errors.New("this server has no rules for what people write: ask an administrator")

func (ruler) Handles(o admission.Operation) bool {
	return o == admission.Create || o == admission.Update || o == admission.Delete
}

func (r ruler) Validate(ctx context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	info, ours := api.KindOf(a.GetKind().Group, a.GetKind().Kind)
	_, isSigned := signed[info.Kind]
	if !ours || !isSigned || a.GetSubresource() != "" || a.GetUserInfo().GetName() == user.APIServerUser {
		return nil
	}
	err := r.ask(ctx, info.Kind, a)
	if err == nil {
		return nil
	}
	return apierrors.NewForbidden(a.GetResource().GroupResource(), a.GetName(), err)
}

func (r ruler) ask(ctx context.Context, kind api.Kind, a admission.Attributes) error {
	groups := a.GetUserInfo().GetGroups()
	if r.rules == nil {
		if open := kind == api.Decision || kind == api.PipelineRun; open || slices.Contains(groups, adminGroup) {
			return nil
		}
		return errNoRules
	}
	w := Wish{By: a.GetUserInfo().GetName(), Groups: groupsOf(a.GetUserInfo()), Kind: kind, Namespace: a.GetNamespace(), Old: plain(a.GetOldObject())}
	if a.GetOperation() != admission.Delete {
		w.New = plain(a.GetObject())
	}
	return r.rules(ctx, w)
}

// plain is an object of a CRD; nil: there is none.
func plain(o runtime.Object) *unstructured.Unstructured {
	u, _ := o.(*unstructured.Unstructured)
	return u
}

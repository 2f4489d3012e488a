package main

import (
	"context"
	"fmt"
	"net/http"

	authzv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authorization "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"weft.dev/api"
	"weft.dev/web"
)

// rightsOf are what pages do, as an API server is asked for it.
var rightsOf = map[string]struct {
	kind api.Kind
	verb string
}{
	web.ActRelease:  {api.Release, "create"},
	web.ActSteer:    {api.Release, "update"},
	web.ActRun:      {api.PipelineRun, "create"},
	web.ActDecide:   {api.Decision, "create"},
	web.ActPipeline: {api.Pipeline, "update"},
	web.ActFreeze:   {api.Freeze, "create"},
	web.ActUnfreeze: {api.Freeze, "delete"},
}

// rights are what the cluster does not let who asks do. It decides nothing; weft's own API server is not asked, whose rules the pages know.
func (a acts) rights(r *http.Request) (any, error) {
	config, err := restConfig(a.command)
	if err != nil {
		return nil, err
	}
	client, err := authorization.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	all := web.Rights{Not: map[string]string{}}
	for act, right := range rightsOf {
		why, err := notAllowed(r.Context(), client.SelfSubjectAccessReviews(), right.kind, right.verb, r.URL.Query().Get("namespace"))
		if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) {
			return all, nil
		}
		if err != nil {
			return nil, answered(err)
		}
		if why != "" {
			all.Not[act] = why
		}
	}
	return all, nil
}

// notAllowed is why an API server would refuse who asks; "": it would not.
func notAllowed(ctx context.Context, reviews authorization.SelfSubjectAccessReviewInterface, kind api.Kind, verb, namespace string) (string, error) {
	info, _ := kind.Info()
	of := authzv1.ResourceAttributes{Group: info.Version.Group, Resource: info.Resource, Verb: verb}
	where := "in the cluster"
	if info.Namespaced {
		of.Namespace, where = namespace, "in the namespace "+namespace
	}
	said, err := reviews.Create(ctx, &authzv1.SelfSubjectAccessReview{Spec: authzv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &of}}, metav1.CreateOptions{})
	if err != nil || said.Status.Allowed {
		return "", err
	}
	return fmt.Sprintf("The cluster does not let you %s %s %s.", verb, info.Resource, where), nil
}

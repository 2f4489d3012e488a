package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	authv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"

	"weft.dev/api/v1alpha1"
)

// maxGroups is how many a signature has, as the API says.
const maxGroups = 100

// signature is who asks, for an API server that checks what objects say of it and
// writes nothing itself. weft's own writes it, and does not answer the question.
func signature(c *cobra.Command) (v1alpha1.Signature, error) {
	config, err := restConfig(c)
	if err != nil {
		return v1alpha1.Signature{}, err
	}
	client, err := authentication.NewForConfig(config)
	if err != nil {
		return v1alpha1.Signature{}, err
	}
	me, err := client.SelfSubjectReviews().Create(c.Context(), &authv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsMethodNotSupported(err) {
		return v1alpha1.Signature{}, nil
	}
	if err != nil {
		return v1alpha1.Signature{}, fmt.Errorf("who you are, the API server does not say: %w", answered(err))
	}
	return signatureOf(me.Status.UserInfo), nil
}

// signatureOf leaves out the groups that follow from being somebody.
func signatureOf(u authv1.UserInfo) v1alpha1.Signature {
	groups := slices.DeleteFunc(slices.Clone(u.Groups), func(g string) bool {
		return g == "system:authenticated" || strings.HasPrefix(g, "system:serviceaccounts")
	})
	return v1alpha1.Signature{By: u.Username, Groups: groups[:min(len(groups), maxGroups)]}
}

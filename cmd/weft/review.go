package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	authentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	"k8s.io/client-go/rest"

	"weft.dev/flow"
	"weft.dev/identity"
	"weft.dev/model"
)

// Who tokens are for.
const (
	peopleAccount = "weft-people" // a ServiceAccount: who may make tokens for it may use the API
	tokenHeader   = "Weft-Token"  // because the API server keeps Authorization to itself
	accountPrefix = "system:serviceaccount:"
)

// reviewer has the API server say whose token it is.
type reviewer struct {
	reviews authentication.TokenReviewInterface
}

func newReviewer(config *rest.Config) (reviewer, error) {
	client, err := authentication.NewForConfig(config)
	if err != nil {
		return reviewer{}, err
	}
	return reviewer{client.TokenReviews()}, nil
}

var errToken = &identity.Refusal{Reason: "the token is not one of a ServiceAccount for the audience " + model.TokenAudience}

// review says whose token it is. A refusal is an *identity.Refusal; any other
// error is that the API server did not say.
func (r reviewer) review(ctx context.Context, token string) (namespace, account string, err error) {
	if token == "" { // which the API server would call a bad request
		return "", "", errToken
	}
	review, err := r.reviews.Create(ctx, &authv1.TokenReview{Spec: authv1.TokenReviewSpec{Token: token, Audiences: []string{model.TokenAudience}}}, metav1.CreateOptions{})
	if err != nil {
		return "", "", fmt.Errorf("token review: %w", err)
	}
	rest, ok := strings.CutPrefix(review.Status.User.Username, accountPrefix)
	namespace, account, _ = strings.Cut(rest, ":")
	if !review.Status.Authenticated || !ok || account == "" {
		return "", "", errToken
	}
	return namespace, account, nil
}

// cluster is what source/host asks of Kubernetes.
type cluster struct {
	pods      *flow.Collection[model.Pod]
	reviews   reviewer
	authority identity.Authority
	*callers
	*election
}

func (c cluster) Attest(ctx context.Context, r model.AttestRequest) (model.JoinReply, error) {
	namespace, account, err := c.reviews.review(ctx, r.Token)
	if err != nil {
		return model.JoinReply{}, err
	}
	return c.authority.Attest(r.CSR, namespace, account)
}

func (c cluster) Pod(namespace, name string) (account string, ok bool) {
	p, ok := c.pods.Get(namespace + "/" + name)
	if !ok {
		return "", false // and it has no template
	}
	return p.ServiceAccount, p.Proxy
}

func (c cluster) Leading() bool { return c.leading.Load() }

// people lets those use the API who have a token of the account for people:
// whom the cluster's own rules let make one.
func (r reviewer) people(next http.Handler) http.Handler {
	own := ownNamespace()
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		namespace, account, err := r.review(q.Context(), q.Header.Get(tokenHeader))
		var refusal *identity.Refusal
		switch {
		case err != nil && !errors.As(err, &refusal):
			fail(w, http.StatusServiceUnavailable, fmt.Sprintf("the API server did not say whose token it is: %v: try again", err))
		case err != nil || namespace != own || account != peopleAccount:
			fail(w, http.StatusForbidden, "a token of the ServiceAccount "+own+"/"+peopleAccount+" is needed: weft makes one if you may create serviceaccounts/token there")
		default:
			next.ServeHTTP(w, q)
		}
	})
}

// fail answers as package web does.
func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": text})
}

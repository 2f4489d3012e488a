package main

import (
	"context"
	"errors"
	"fmt"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/install/chart"
	"weft.dev/model"
	"weft.dev/web"
)

// apiPort is the name of the port of weft's Service at which people are answered.
const apiPort = "api"

// inCluster finds weft behind an API server: it is that one itself, or it runs in
// its cluster and is reached through it.
func inCluster(ctx context.Context, s *server) (*server, error) {
	namespaced := "/api/v1/namespaces/" + chart.Namespace
	err := s.get(ctx, namespaced+"/services/weft", nil, &metav1.PartialObjectMetadata{})
	if errors.As(err, &notFound{}) {
		s.base += web.Prefix
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	request := authv1.TokenRequest{Spec: authv1.TokenRequestSpec{Audiences: []string{model.TokenAudience}}}
	request.APIVersion, request.Kind = "authentication.k8s.io/v1", "TokenRequest"
	var made authv1.TokenRequest
	if err := s.post(ctx, namespaced+"/serviceaccounts/"+peopleAccount+"/token", request, &made); err != nil {
		return nil, fmt.Errorf("weft in this cluster: %w", err)
	}
	s.token = made.Status.Token
	s.base += namespaced + "/services/https:weft:" + apiPort + "/proxy" + web.Prefix
	return s, nil
}

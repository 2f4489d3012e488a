package main

import (
	"context"
	"net/http"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// authorizer decides about requests of others: mallory's do not pass.
type authorizer struct {
	authv3.UnimplementedAuthorizationServer
	*echo
}

func newAuthorizer(e *echo) http.Handler {
	server := grpc.NewServer()
	authv3.RegisterAuthorizationServer(server, authorizer{echo: e})
	return server
}

// Check tells the backend whom it let pass, by the token that the proxy verified if there is one.
func (a authorizer) Check(_ context.Context, r *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	request := r.GetAttributes().GetRequest().GetHttp()
	path, _, _ := strings.Cut(request.GetPath(), "?")
	a.count("CHECK " + path)
	if request.GetHeaders()["x-user"] == "mallory" {
		return &authv3.CheckResponse{Status: &status.Status{Code: int32(codes.PermissionDenied)}, HttpResponse: &authv3.CheckResponse_DeniedResponse{
			DeniedResponse: &authv3.DeniedHttpResponse{Status: &typev3.HttpStatus{Code: typev3.StatusCode_Forbidden}, Body: "not mallory"},
		}}, nil
	}
	payload := r.GetAttributes().GetMetadataContext().GetFilterMetadata()["envoy.filters.http.jwt_authn"].GetFields()["payload"].GetStructValue()
	checked := "checked:" + request.GetHeaders()["x-user"] + ":" + payload.GetFields()["sub"].GetStringValue()
	return &authv3.CheckResponse{Status: &status.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{
		OkResponse: &authv3.OkHttpResponse{Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: "x-checked", Value: checked}}}},
	}}, nil
}

// check is the same by HTTP.
func (e *echo) check(w http.ResponseWriter, r *http.Request) {
	e.count("CHECK " + strings.TrimPrefix(r.URL.Path, "/_check"))
	if r.Header.Get("X-User") == "mallory" {
		http.Error(w, "not mallory", http.StatusForbidden)
		return
	}
	w.Header().Set("X-Checked", "checked:"+r.Header.Get("X-User")+":"+r.Header.Get("X-From-Mesh"))
}

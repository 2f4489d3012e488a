package main
import (
 _ "k8s.io/apiextensions-apiserver/pkg/apiserver"
 _ "k8s.io/apiserver/pkg/server"
 _ "go.etcd.io/etcd/server/v3/embed"
 _ "k8s.io/client-go/kubernetes"
 _ "k8s.io/client-go/dynamic"
 _ "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
 _ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
 _ "google.golang.org/grpc"
 _ "istio.io/client-go/pkg/apis/networking/v1"
 _ "istio.io/client-go/pkg/apis/security/v1"
 _ "sigs.k8s.io/gateway-api/apis/v1"
 _ "github.com/spf13/cobra"
)
func main(){}

// Package openapi holds the OpenAPI schemas of the Kubernetes kinds that the
// embedded API server serves itself. Server-side apply and kubectl explain
// need them; Kubernetes keeps its own outside of its library modules.
package openapi

//go:generate go tool -modfile=../../../api/tools.mod openapi-gen --output-dir . --output-pkg weft.dev/store/serve/openapi --output-file zz_generated.openapi.go --report-filename /dev/null --go-header-file /dev/null k8s.io/api/core/v1 k8s.io/api/discovery/v1 k8s.io/api/coordination/v1 k8s.io/apimachinery/pkg/apis/meta/v1 k8s.io/apimachinery/pkg/runtime k8s.io/apimachinery/pkg/version k8s.io/apimachinery/pkg/api/resource k8s.io/apimachinery/pkg/util/intstr
//go:generate go run ./internal/trim zz_generated.openapi.go corev1.NamespaceList corev1.SecretList corev1.ConfigMapList corev1.ServiceList corev1.ServiceAccountList corev1.EventList discoveryv1.EndpointSliceList v1.LeaseList

// Package conformance runs the Gateway API's own conformance suite against the
// weft of a cluster. It is a module of its own: what the suite needs, weft does not.
package conformance

import (
	"flag"
	"path/filepath"
	"testing"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	suitev1 "sigs.k8s.io/gateway-api/conformance/apis/v1"

	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

var (
	version = flag.String("weft-version", "dev", "what the report says of weft")
	reports = flag.String("reports", "", "folder for the reports, gateway.yaml and mesh.yaml; none: there are none")

	experimental = flag.Bool("experimental", false, "the cluster has the CRDs of the experimental channel: what weft does of it, too, in experimental.yaml")
)

// TestGateway are the profiles of gateways, and what weft claims of them beyond the core. The suite's own flags narrow it.
func TestGateway(t *testing.T) {
	report := "gateway.yaml"
	if *experimental {
		report = "experimental.yaml"
	}
	o := options(t, report, suite.GatewayHTTPConformanceProfileName, suite.GatewayGRPCConformanceProfileName,
		suite.GatewayTLSConformanceProfileName, suite.GatewayTCPConformanceProfileName, suite.GatewayUDPConformanceProfileName)
	o.SupportedFeatures = []features.FeatureName{
		features.SupportGateway,
		features.SupportReferenceGrant,
		features.SupportHTTPRoute,
		features.SupportGRPCRoute,
		features.SupportTLSRoute,
		features.SupportTCPRoute,
		features.SupportUDPRoute,

		features.SupportBackendTLSPolicy,
		features.SupportBackendTLSPolicySANValidation,
		features.SupportGatewayAddressEmpty,
		features.SupportGatewayBackendClientCertificate,
		features.SupportGatewayFrontendClientCertificateValidation,
		features.SupportGatewayFrontendClientCertificateValidationInsecureFallback,
		features.SupportGatewayHTTPListenerIsolation,
		features.SupportGatewayHTTPSListenerDetectMisdirectedRequests,
		features.SupportGatewayInfrastructure,
		features.SupportGatewayPort8080,
		features.SupportGatewayStaticAddresses,
		features.SupportListenerSet,

		features.SupportHTTPRoute303RedirectStatusCode,
		features.SupportHTTPRoute307RedirectStatusCode,
		features.SupportHTTPRoute308RedirectStatusCode,
		features.SupportHTTPRouteBackendProtocolH2C,
		features.SupportHTTPRouteBackendProtocolWebSocket,
		features.SupportHTTPRouteBackendRequestHeaderModification,
		features.SupportHTTPRouteBackendTimeout,
		features.SupportHTTPRouteCORS,
		features.SupportHTTPRouteDestinationPortMatching,
		features.SupportHTTPRouteHostRewrite,
		features.SupportHTTPRouteMethodMatching,
		features.SupportHTTPRouteNamedRouteRule,
		features.SupportHTTPRouteParentRefPort,
		features.SupportHTTPRoutePathRedirect,
		features.SupportHTTPRoutePathRewrite,
		features.SupportHTTPRoutePortRedirect,
		features.SupportHTTPRouteQueryParamMatching,
		features.SupportHTTPRouteRequestMirror,
		features.SupportHTTPRouteRequestMultipleMirrors,
		features.SupportHTTPRouteRequestPercentageMirror,
		features.SupportHTTPRouteRequestTimeout,
		features.SupportHTTPRouteResponseHeaderModification,
		features.SupportHTTPRouteSchemeRedirect,

		features.SupportGRPCRouteNamedRouteRule,
		features.SupportTLSRouteModeMixed,
		features.SupportTLSRouteModeTerminate,
	}
	if *experimental {
		o.SupportedFeatures = append(o.SupportedFeatures,
			features.SupportHTTPRouteRetry,
			features.SupportHTTPRouteRetryBackendTimeout,
			features.SupportHTTPRouteRetryConnectionError,
		)
	}
	o.UsableNetworkAddresses, o.UnusableNetworkAddresses = ip(usable), ip(unusable)
	conformance.RunConformanceWithOptions(t, o)
}

// Addresses that the cluster's load balancer has, the last of its range, and has not.
const usable, unusable = "10.97.0.254", "192.0.2.1"

func ip(address string) []gatewayv1.GatewaySpecAddress {
	kind := gatewayv1.IPAddressType
	return []gatewayv1.GatewaySpecAddress{{Type: &kind, Value: address}}
}

// TestMesh are the profiles of calls between services, whose pods get their proxies by the label of their namespace.
func TestMesh(t *testing.T) {
	o := options(t, "mesh.yaml", suite.MeshHTTPConformanceProfileName, suite.MeshGRPCConformanceProfileName)
	o.NamespaceLabels = map[string]string{"weft.dev/inject": "enabled"}
	o.SupportedFeatures = []features.FeatureName{
		features.SupportMesh,
		features.SupportHTTPRoute,
		features.SupportGRPCRoute,

		features.SupportHTTPRoute303RedirectStatusCode,
		features.SupportHTTPRoute307RedirectStatusCode,
		features.SupportHTTPRoute308RedirectStatusCode,
		features.SupportHTTPRouteParentRefPort,
		features.SupportHTTPRouteResponseHeaderModification,

		features.SupportMeshConsumerRoute,
		features.SupportMeshHTTPRouteBackendRequestHeaderModification,
		features.SupportMeshHTTPRouteNamedRouteRule,
		features.SupportMeshHTTPRouteQueryParamMatching,
		features.SupportMeshHTTPRouteRedirectPath,
		features.SupportMeshHTTPRouteRedirectPort,
		features.SupportMeshHTTPRouteRewritePath,
		features.SupportMeshHTTPRouteSchemeRedirect,
	}
	conformance.RunConformanceWithOptions(t, o)
}

func options(t *testing.T, report string, profiles ...suite.ConformanceProfileName) suite.ConformanceOptions {
	o := conformance.DefaultOptions(t)
	o.GatewayClassName = "weft"
	o.ConformanceProfiles = profiles
	o.Implementation = suitev1.Implementation{
		Organization: "weft", Project: "weft", URL: "https://weft.dev", Version: *version, Contact: []string{"https://weft.dev"},
	}
	if *reports != "" {
		o.ReportOutputPath = filepath.Join(*reports, report)
	}
	return o
}

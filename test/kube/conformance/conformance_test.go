// Package conformance runs the Gateway API's own conformance suite against the
// weft of a cluster. It is a module of its own: what the suite needs, weft does not.
package conformance

import (
	"flag"
	"testing"

	suitev1 "sigs.k8s.io/gateway-api/conformance/apis/v1"

	"sigs.k8s.io/gateway-api/conformance"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

var version = flag.String("weft-version", "dev", "what the report says of weft")

// extended are the features beyond the core that weft claims.
var extended = []features.FeatureName{
	features.SupportHTTPRouteQueryParamMatching,
	features.SupportHTTPRouteMethodMatching,
	features.SupportHTTPRouteResponseHeaderModification,
	features.SupportHTTPRouteSchemeRedirect,
	features.SupportHTTPRoutePathRedirect,
	features.SupportHTTPRouteHostRewrite,
	features.SupportHTTPRoutePathRewrite,
	features.SupportHTTPRouteRequestMirror,
	features.SupportHTTPRouteRequestMultipleMirrors,
	features.SupportHTTPRouteRequestTimeout,
	features.SupportHTTPRouteParentRefPort,
	features.SupportHTTPRouteNamedRouteRule,
	features.SupportHTTPRoutePortRedirect,
	features.SupportGatewayInfrastructure,
	features.SupportGatewayPort8080,
	features.SupportGatewayHTTPListenerIsolation,
}

// TestGatewayHTTP is the profile GATEWAY-HTTP. The suite's own flags narrow it,
// and say where the report goes.
func TestGatewayHTTP(t *testing.T) {
	o := conformance.DefaultOptions(t)
	o.GatewayClassName = "weft"
	o.ConformanceProfiles = []suite.ConformanceProfileName{suite.GatewayHTTPConformanceProfileName}
	o.SupportedFeatures = append(extended, features.SupportGateway, features.SupportReferenceGrant, features.SupportHTTPRoute)
	o.Implementation = suitev1.Implementation{
		Organization: "weft", Project: "weft", URL: "https://weft.dev", Version: *version, Contact: []string{"https://weft.dev"},
	}
	conformance.RunConformanceWithOptions(t, o)
}

// Package gateway reads the kinds of the Gateway API.
//
// Input: one object with its typed spec. Output: model rows, whose references
// to other objects are not looked up yet, and the object's problems. A field
// that honoured does not name becomes a problem by itself.
//
// A rule with something that weft does not do answers 500, as the Gateway API
// asks: it must not be served with half of what was written. The package sees
// one object at a time and knows no Envoy configuration.
package gateway

import "weft.dev/translate/object"

// honoured names the fields that the translations of this package read.
var honoured = object.Honoured{
	"GatewayClassSpec":      "controllerName description",
	"GatewaySpec":           "gatewayClassName listeners infrastructure allowedListeners tls addresses",
	"GatewaySpecAddress":    "type value",
	"GatewayInfrastructure": "labels annotations",
	"AllowedListeners":      "namespaces",
	"ListenerNamespaces":    "from selector",
	"ListenerSetSpec":       "parentRef listeners",
	"ListenerEntry":         "name hostname port protocol tls allowedRoutes",
	"Listener":              "name hostname port protocol tls allowedRoutes",
	"ListenerTLSConfig":     "mode certificateRefs",
	"SecretObjectReference": "group kind name namespace",
	"GatewayTLSConfig":      "backend frontend",
	"GatewayBackendTLS":     "clientCertificateRef",
	"FrontendTLSConfig":     "default perPort",
	"TLSConfig":             "validation",
	"TLSPortConfig":         "port tls",
	"FrontendTLSValidation": "caCertificateRefs mode",
	"ObjectReference":       "group kind name namespace",
	"AllowedRoutes":         "namespaces kinds",
	"RouteGroupKind":        "group kind",
	"RouteNamespaces":       "from selector",

	"HTTPRouteSpec":             "hostnames rules parentRefs",
	"CommonRouteSpec":           "parentRefs",
	"ParentGatewayReference":    "group kind name namespace",
	"ParentReference":           "group kind namespace name sectionName port",
	"HTTPRouteRule":             "name matches filters backendRefs timeouts retry",
	"HTTPRouteMatch":            "path headers queryParams method",
	"HTTPPathMatch":             "type value",
	"HTTPHeaderMatch":           "type name value",
	"HTTPQueryParamMatch":       "type name value",
	"HTTPRouteTimeouts":         "request backendRequest",
	"HTTPRouteRetry":            "codes attempts backoff",
	"HTTPBackendRef":            "filters",
	"BackendRef":                "weight",
	"BackendObjectReference":    "group kind name namespace port",
	"HTTPRouteFilter":           "type requestHeaderModifier responseHeaderModifier requestMirror requestRedirect urlRewrite cors",
	"HTTPHeaderFilter":          "set add remove",
	"HTTPHeader":                "name value",
	"HTTPRequestMirrorFilter":   "backendRef percent fraction",
	"Fraction":                  "numerator denominator",
	"HTTPRequestRedirectFilter": "scheme hostname path port statusCode",
	"HTTPURLRewriteFilter":      "hostname path",
	"HTTPPathModifier":          "type replaceFullPath replacePrefixMatch",
	"HTTPCORSFilter":            "allowOrigins allowCredentials allowMethods allowHeaders exposeHeaders maxAge",

	"GRPCRouteSpec":   "hostnames rules parentRefs",
	"GRPCRouteRule":   "name matches filters backendRefs",
	"GRPCRouteMatch":  "method headers",
	"GRPCMethodMatch": "type service method",
	"GRPCHeaderMatch": "type name value",
	"GRPCRouteFilter": "type requestHeaderModifier responseHeaderModifier requestMirror",
	"GRPCBackendRef":  "filters",

	"TLSRouteSpec": "hostnames rules parentRefs",
	"TLSRouteRule": "name backendRefs",
	"TCPRouteSpec": "rules parentRefs",
	"TCPRouteRule": "name backendRefs",
	"UDPRouteSpec": "rules parentRefs",
	"UDPRouteRule": "name backendRefs",

	"BackendTLSPolicySpec":                      "targetRefs validation",
	"LocalPolicyTargetReferenceWithSectionName": "sectionName",
	"LocalPolicyTargetReference":                "group kind name",
	"BackendTLSPolicyValidation":                "caCertificateRefs wellKnownCACertificates hostname subjectAltNames",
	"LocalObjectReference":                      "group kind name",
	"SubjectAltName":                            "type hostname uri",

	"ReferenceGrantSpec": "from to",
	"ReferenceGrantFrom": "group kind namespace",
	"ReferenceGrantTo":   "group kind name",

	"HTTPRouteFilter.extensionRef": "so the rule answers 500; remove the filter",
	"HTTPRouteFilter.externalAuth": "so the rule answers 500; remove the filter",
	"GRPCRouteFilter.extensionRef": "so the rule answers 500; remove the filter",
}

package istio

import "weft.dev/translate/object"

// honoured names the fields that the translations of this package read. A new
// field is added here together with the code that acts upon it.
var honoured = object.Honoured{
	"VirtualService":            "hosts gateways http tls tcp exportTo",
	"HTTPRoute":                 "name match route redirect directResponse rewrite timeout retries fault mirror mirrors mirrorPercent mirrorPercentage corsPolicy headers",
	"HTTPMatchRequest":          "name uri scheme method authority headers port sourceLabels gateways queryParams ignoreUriCase withoutHeaders sourceNamespace",
	"StringMatch":               "exact prefix regex",
	"HTTPRouteDestination":      "destination weight headers",
	"TLSRoute":                  "match route",
	"TLSMatchAttributes":        "sniHosts port gateways",
	"TCPRoute":                  "match route",
	"L4MatchAttributes":         "port gateways",
	"RouteDestination":          "destination weight",
	"Destination":               "host subset port",
	"PortSelector":              "number",
	"Headers":                   "request response",
	"Headers_HeaderOperations":  "set add remove",
	"HTTPRedirect":              "uri authority port derivePort scheme redirectCode prefixRewrite",
	"HTTPDirectResponse":        "status body",
	"HTTPBody":                  "string bytes",
	"HTTPRewrite":               "uri authority uriRegexRewrite",
	"RegexRewrite":              "match rewrite",
	"HTTPRetry":                 "attempts perTryTimeout retryOn backoff retryIgnorePreviousHosts",
	"HTTPFaultInjection":        "delay abort",
	"HTTPFaultInjection_Delay":  "percent fixedDelay percentage",
	"HTTPFaultInjection_Abort":  "httpStatus grpcStatus percentage",
	"HTTPMirrorPolicy":          "destination percentage",
	"Percent":                   "value",
	"CorsPolicy":                "allowOrigin allowOrigins allowMethods allowHeaders exposeHeaders maxAge allowCredentials unmatchedPreflights",
	"DestinationRule":           "host trafficPolicy subsets exportTo",
	"Subset":                    "name labels trafficPolicy",
	"TrafficPolicy":             "loadBalancer connectionPool outlierDetection tls portLevelSettings retryBudget",
	"LoadBalancerSettings":      "simple consistentHash warmupDurationSecs warmup",
	"WarmupConfiguration":       "duration minimumPercent aggression",
	"TrafficPolicy_RetryBudget": "percent minRetryConcurrency budgetInterval",
	"ConnectionPoolSettings":    "tcp http",
	"OutlierDetection":          "consecutiveErrors splitExternalLocalOriginErrors consecutiveLocalOriginFailures consecutiveGatewayErrors consecutive5xxErrors interval baseEjectionTime maxEjectionPercent minHealthPercent",
	"ClientTLSSettings":         "mode clientCertificate privateKey caCertificates credentialName subjectAltNames sni insecureSkipVerify",
	"Gateway":                   "servers selector",
	"Server":                    "port hosts tls name",
	"Port":                      "number protocol name",
	"ServerTLSSettings":         "mode credentialName httpsRedirect minProtocolVersion maxProtocolVersion",
	"ServiceEntry":              "hosts addresses ports location resolution endpoints workloadSelector exportTo subjectAltNames",
	"ServicePort":               "number protocol name targetPort",
	"WorkloadEntry":             "address ports labels locality weight serviceAccount",
	"WorkloadSelector":          "labels matchLabels",
	"Sidecar":                   "workloadSelector egress outboundTrafficPolicy",
	"IstioEgressListener":       "hosts",
	"OutboundTrafficPolicy":     "mode",
	"PeerAuthentication":        "selector mtls portLevelMtls",
	"AuthorizationPolicy":       "selector targetRef targetRefs rules action provider",
	"RequestAuthentication":     "selector targetRef targetRefs jwtRules",
	"JWTRule":                   "issuer audiences jwksUri jwks fromHeaders fromParams outputPayloadToHeader fromCookies forwardOriginalToken outputClaimToHeaders spaceDelimitedClaims timeout",
	"JWTHeader":                 "name prefix",
	"ClaimToHeader":             "header claim",
	"PolicyTargetReference":     "group kind name namespace",
	"Rule":                      "from to when",
	"Rule_From":                 "source",
	"Rule_To":                   "operation",
	"Condition":                 "key values notValues",
	"Operation":                 "hosts notHosts ports notPorts methods notMethods paths notPaths",
	"Source":                    "principals notPrincipals requestPrincipals notRequestPrincipals namespaces notNamespaces serviceAccounts notServiceAccounts ipBlocks notIpBlocks remoteIpBlocks notRemoteIpBlocks trustDomains notTrustDomains",

	"AuthorizationPolicy_ExtensionProvider": "name",

	"TrafficPolicy_PortTrafficPolicy":                         "port loadBalancer connectionPool outlierDetection tls",
	"LoadBalancerSettings_ConsistentHashLB":                   "httpHeaderName httpCookie useSourceIp httpQueryParameterName ringHash maglev minimumRingSize",
	"LoadBalancerSettings_ConsistentHashLB_RingHash":          "minimumRingSize",
	"LoadBalancerSettings_ConsistentHashLB_MagLev":            "tableSize",
	"LoadBalancerSettings_ConsistentHashLB_HTTPCookie":        "name path ttl",
	"ConnectionPoolSettings_TCPSettings":                      "maxConnections connectTimeout tcpKeepalive maxConnectionDuration idleTimeout",
	"ConnectionPoolSettings_HTTPSettings":                     "http1MaxPendingRequests http2MaxRequests maxRequestsPerConnection maxRetries idleTimeout maxConcurrentStreams http2KeepAlive",
	"ConnectionPoolSettings_TCPSettings_TcpKeepalive":         "probes time interval",
	"ConnectionPoolSettings_HTTPSettings_ConnectionKeepalive": "interval timeout",
	"PeerAuthentication_MutualTLS":                            "mode",

	"TLSMatchAttributes.destinationSubnets":   "so the match takes nothing; remove it",
	"TLSMatchAttributes.sourceLabels":         "so the match takes nothing; remove it",
	"TLSMatchAttributes.sourceNamespace":      "so the match takes nothing; remove it",
	"L4MatchAttributes.destinationSubnets":    "so the match takes nothing; remove it",
	"L4MatchAttributes.sourceLabels":          "so the match takes nothing; remove it",
	"L4MatchAttributes.sourceNamespace":       "so the match takes nothing; remove it",
	"L4MatchAttributes.sourceSubnet":          "so the match takes nothing; remove it",
	"HTTPRoute.delegate":                      "so the rule is left out; write the rules of the other VirtualService here",
	"ServerTLSSettings.subjectAltNames":       "so this server stays closed; remove it, and name the callers by a CA of their own",
	"ServerTLSSettings.verifyCertificateSpki": "so this server stays closed; remove it, and name the callers by a CA of their own",
	"ServerTLSSettings.verifyCertificateHash": "so this server stays closed; remove it, and name the callers by a CA of their own",
	"PeerAuthentication.targetRefs":           "so the policy applies to the whole namespace; use selector",
	"Sidecar.ingress":                         "so the workload serves the ports that it registered; remove it",
	"Sidecar.inboundConnectionPool":           "so calls are taken without such limits; set connectionPool in a DestinationRule for the service",
	"IstioEgressListener.port":                "so the hosts are known on all of their ports; remove it",
	"IstioEgressListener.bind":                "so calls go out by the proxy's one outbound port; remove it",
	"IstioEgressListener.captureMode":         "so calls are captured as on every other port; remove it",
	"OutboundTrafficPolicy.egressProxy":       "so calls to hosts that no service has are answered with 502; write a ServiceEntry for them",
	"WorkloadEntry.network":                   "so the endpoint is called at its address; write one that callers reach, or run a gateway there",
	"DestinationRule.workloadSelector":        "so the rule applies to every caller; remove it",
	"LoadBalancerSettings.localityLbSetting":  "so endpoints of all places are alike; remove it",
}

// Fields are those that this package acts upon, by their message, and what to do instead of others.
func Fields() object.Honoured { return honoured }

// exportTo: everything is visible everywhere; a narrower wish is not met.
func exportTo(o *object.Object, at object.Path, namespaces []string) {
	for i, namespace := range namespaces {
		if namespace != "*" {
			o.NotHonoured(at.At(i), "weft shows every object to every namespace; remove exportTo, or use an AuthorizationPolicy to keep callers out")
		}
	}
}

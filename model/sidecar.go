package model

// Labels of pods. Only injection, and who makes gateways, set ProxyLabel.
const (
	ProxyLabel       = "weft.dev/proxy" // the pod has a proxy, and what that is to it
	ProxySidecar     = "sidecar"
	InjectLabel      = "weft.dev/inject" // also of namespaces: whether pods get one
	InjectEnabled    = "enabled"
	RevisionLabel    = "weft.dev/rev"                           // also of namespaces: which control plane gives it
	GatewayNameLabel = "gateway.networking.k8s.io/gateway-name" // the Gateway API's, of all that is run for a gateway
)

// What injection tells the agent of a pod.
const (
	EnvPod            = "POD_NAME"
	EnvNamespace      = "POD_NAMESPACE"
	EnvAddress        = "POD_IP"
	EnvServiceAccount = "SERVICE_ACCOUNT"
	EnvServer         = "WEFT_SERVER"
	EnvRoots          = "WEFT_ROOTS"  // PEM
	EnvProbes         = "WEFT_PROBES" // Probes as JSON; not set if there are none
)

// What injection mounts for the agent.
const (
	SidecarDir    = "/var/lib/weft" // survives a restart of the container
	TokenDir      = "/var/run/secrets/weft"
	TokenFile     = "token" // in TokenDir: of the pod's ServiceAccount, for TokenAudience
	TokenAudience = "weft"
)

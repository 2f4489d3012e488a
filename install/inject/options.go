package inject

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// Options are what the mesh wants of its proxies.
type Options struct {
	Image      string                      `json:"image"`
	PullPolicy corev1.PullPolicy           `json:"pullPolicy,omitempty"`
	Revision   string                      `json:"revision"` // of the control plane that injects
	Server     string                      `json:"server"`   // host:port that proxies connect to
	Resources  corev1.ResourceRequirements `json:"resources,omitempty"`
	FailClosed bool                        `json:"failClosed,omitempty"` // a pod that cannot be read is refused
	IPTables   bool                        `json:"iptables,omitempty"`   // nodes may have no nf_tables: redirection may need what iptables does
	// MetricsPort is where a Prometheus reads what a proxy counted; 0: nowhere. A pod may say another one.
	MetricsPort uint16 `json:"metricsPort,omitempty"`
}

// ReadOptions reads them as YAML.
func ReadOptions(text []byte) (Options, error) {
	var o Options
	if err := yaml.UnmarshalStrict(text, &o); err != nil {
		return o, fmt.Errorf("injection: %w", err)
	}
	if o.Image == "" || o.Server == "" || o.Revision == "" {
		return o, errors.New("injection: image, server and revision are needed")
	}
	return o, nil
}

// Labels and annotations of pods.
const (
	injectLabelIstio = "sidecar.istio.io/inject"

	revisionAnnotation = "weft.dev/revision"
	whyNotAnnotation   = "weft.dev/not-injected"

	drainAnnotation   = "weft.dev/drain-seconds"
	metricsAnnotation = "weft.dev/metrics-port"

	excludeInbound  = "weft.dev/exclude-inbound-ports"
	excludeOutbound = "weft.dev/exclude-outbound-ports"
	excludeNetworks = "weft.dev/exclude-outbound-cidrs"
)

// sizes are the annotations that size the proxy of one pod.
var sizes = []struct {
	annotation string
	name       corev1.ResourceName
	limit      bool
}{
	{"weft.dev/proxy-cpu", corev1.ResourceCPU, false},
	{"weft.dev/proxy-memory", corev1.ResourceMemory, false},
	{"weft.dev/proxy-cpu-limit", corev1.ResourceCPU, true},
	{"weft.dev/proxy-memory-limit", corev1.ResourceMemory, true},
}

// sized are the resources of the mesh's proxies, as the pod wants its own.
func sized(of corev1.ResourceRequirements, annotations map[string]string) (corev1.ResourceRequirements, error) {
	all := *of.DeepCopy()
	for _, s := range sizes {
		text, ok := annotations[s.annotation]
		if !ok {
			continue
		}
		quantity, err := resource.ParseQuantity(text)
		if err != nil {
			return all, fmt.Errorf("annotation %s %q: use a quantity, as 100m or 128Mi", s.annotation, text)
		}
		list := &all.Requests
		if s.limit {
			list = &all.Limits
		}
		if *list == nil {
			*list = corev1.ResourceList{}
		}
		(*list)[s.name] = quantity
	}
	return all, nil
}

package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Workload is one running instance of an application on a host: the record that
// its agent's registration leaves, so that endpoints survive a restart of weft.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=wl,categories=weft
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name=App,type=string,JSONPath=.spec.app
// +kubebuilder:printcolumn:name=Version,type=string,JSONPath=.spec.version
// +kubebuilder:printcolumn:name=Address,type=string,JSONPath=.spec.address
// +kubebuilder:printcolumn:name=Health,type=string,JSONPath=.status.health
type Workload struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`
	Spec              WorkloadSpec   `json:"spec,omitempty"`
	Status            WorkloadStatus `json:"status,omitempty"`
}

// WorkloadSpec is what the agent registered.
type WorkloadSpec struct {
	// App is the application that the workload's identity names. Empty for a gateway.
	// +optional
	App string `json:"app,omitempty"`
	// +optional
	Version string `json:"version,omitempty"`
	// Gateway is the name of the gateway that this proxy is, if it is one.
	// +optional
	Gateway string `json:"gateway,omitempty"`
	// Address at which other proxies reach this one.
	Address string `json:"address"`
	// +optional
	Ports []WorkloadPort `json:"ports,omitempty"`
	// OutboundPort is where the workload's Envoy takes the application's own calls, on loopback.
	// +optional
	OutboundPort int32 `json:"outboundPort,omitempty"`
	// Redirected says that all TCP which the application calls is led to its Envoy.
	// +optional
	Redirected bool `json:"redirected,omitempty"`
	// DualStack says that the machine has IPv4 and IPv6.
	// +optional
	DualStack bool `json:"dualStack,omitempty"`
	// MetricsPort is where, at the workload's address, a Prometheus can read what its Envoy counted.
	// +optional
	MetricsPort int32 `json:"metricsPort,omitempty"`
	// Host is the name of the machine.
	// +optional
	Host string `json:"host,omitempty"`
}

// WorkloadPort is one port of the service that the workload serves.
type WorkloadPort struct {
	// Number of the service's port, the one callers name.
	Number int32 `json:"number"`
	// Protocol is http, http2, grpc, tcp or udp.
	Protocol string `json:"protocol"`
	// ProxyPort is where the workload's Envoy accepts calls for this port; of udp: where the application does.
	ProxyPort int32 `json:"proxyPort"`
	// AppPort is where the application listens, on loopback; of udp: the same as ProxyPort.
	AppPort int32 `json:"appPort"`
}

// WorkloadStatus is what the agent last said.
type WorkloadStatus struct {
	// Health is Healthy, Unhealthy, Draining or Lost (its lease has ended, and too many others'
	// ended at the same time to believe it).
	// +optional
	Health string `json:"health,omitempty"`
	// Since when.
	// +optional
	Since metav1.Time `json:"since,omitempty"`
}

// WorkloadList is a list of workloads.
//
// +kubebuilder:object:root=true
type WorkloadList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []Workload `json:"items"`
}

// HealthAnnotation is the workload's health where what is derived from objects
// can read it: a status is no part of an object's content.
const HealthAnnotation = "weft.dev/health"

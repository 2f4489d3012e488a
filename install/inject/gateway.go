package inject

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weft.dev/model"
)

// How a gateway's pod leaves: Kubernetes stops to send it connections meanwhile,
// and then those that are open may end.
const (
	gatewayDrain = "20s"
	gatewayGrace = 60 // seconds
)

// GatewayPod is a pod that is a proxy of a gateway, and nothing else. Its
// annotations may size the proxy, and say where it is scraped.
func GatewayPod(o Options, roots, gateway string, annotations map[string]string) (corev1.PodSpec, error) {
	resources, err := sized(o.Resources, annotations)
	if err != nil {
		return corev1.PodSpec{}, fmt.Errorf("gateway %s: %w", gateway, err)
	}
	metrics, err := scraped(o, annotations)
	if err != nil {
		return corev1.PodSpec{}, fmt.Errorf("gateway %s: %w", gateway, err)
	}
	proxy := proxyContainer(o, resources, environment(o, roots, ""))
	proxy.RestartPolicy = nil
	proxy.Args = append(proxy.Args, "--gateway", gateway, "--drain", gatewayDrain)
	scrapeAt(&proxy, metrics)
	proxy.ReadinessProbe.PeriodSeconds = 2
	proxy.LivenessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(model.AgentReady)}},
		PeriodSeconds: 10, TimeoutSeconds: 2, FailureThreshold: 6,
	}
	grace, user := int64(gatewayGrace), int64(model.ProxyUser)
	pod := corev1.PodSpec{
		Containers:                    []corev1.Container{proxy},
		TerminationGracePeriodSeconds: &grace,
		SecurityContext: &corev1.PodSecurityContext{
			FSGroup: &user,
			Sysctls: []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "0"}}, // it listens on 80 without root
		},
	}
	for _, v := range volumes() {
		pod.Volumes = append(pod.Volumes, v.(corev1.Volume))
	}
	return pod, nil
}

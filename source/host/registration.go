package host

import (
	"cmp"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"weft.dev/api/v1alpha1"
	"weft.dev/identity"
	"weft.dev/model"
)

const (
	maxPorts  = 32
	maxLabels = 64
)

// What the store refuses is refused here, where the agent learns why.
func isName(s string) bool  { return len(validation.IsDNS1123Subdomain(s)) == 0 }
func isLabel(s string) bool { return len(validation.IsQualifiedName(s)) == 0 }
func isValue(s string) bool { return len(validation.IsValidLabelValue(s)) == 0 }

// account is the name that the workload's certificate must have.
func account(r model.Registration) string {
	return cmp.Or(r.ServiceAccount, r.Gateway, r.App)
}

// allowed says whether a caller may register this: its own application, in its own namespace.
func allowed(caller identity.Name, r model.Registration) error {
	if caller.Account == "" || caller.Namespace != r.Namespace || caller.Account != account(r) {
		return fmt.Errorf("%s may not register workload %.100s/%.100s of %.100q: a workload registers with its own identity",
			caller, r.Namespace, r.Name, account(r))
	}
	return nil
}

// check bounds what an agent may write into an object.
func check(r model.Registration, health model.Health) error {
	at := fmt.Sprintf("workload %.100s/%.100s: ", r.Namespace, r.Name)
	switch {
	case !isName(r.Name):
		return fmt.Errorf("%sname: use lower case letters, digits, '-' and '.' between them, at most 253", at)
	case r.App != "" && r.Gateway != "":
		return fmt.Errorf("%sapp and gateway: a proxy is one of them", at)
	case !isValue(account(r)):
		return fmt.Errorf("%sapp or gateway %.100q: its name is a label, so use at most 63 characters", at, account(r))
	case !isValue(r.Version):
		return fmt.Errorf("%sversion %.100q: use letters, digits, '-', '_' and '.', at most 63", at, r.Version)
	case r.Host != "" && !isName(r.Host):
		return fmt.Errorf("%shost %.100q: use lower case letters, digits, '-' and '.'", at, r.Host)
	case len(r.Ports)+len(r.Datagrams) > maxPorts || len(r.Labels) > maxLabels:
		return fmt.Errorf("%smore than %d ports or %d labels", at, maxPorts, maxLabels)
	case !known(health):
		return fmt.Errorf("%shealth %.100q: use Healthy, Unhealthy or Draining", at, health)
	case r.OutboundPort > 65535:
		return fmt.Errorf("%soutboundPort %d: above 65535", at, r.OutboundPort)
	case r.MetricsPort > 65535:
		return fmt.Errorf("%smetricsPort %d: above 65535", at, r.MetricsPort)
	case r.Redirected && (r.Gateway != "" || r.OutboundPort == 0):
		return fmt.Errorf("%sredirected: only what an application calls is, and to an outboundPort", at)
	}
	if !model.Callable(r.Address) {
		return fmt.Errorf("%saddress %.100q: not an IP address that others can call", at, r.Address)
	}
	for k, v := range r.Labels {
		if !isLabel(k) || !isValue(v) {
			return fmt.Errorf("%slabel %.100q: not of the form that Kubernetes gives labels", at, k)
		}
	}
	for i, p := range r.Ports {
		if badPort(p.Number) || badPort(p.ProxyPort) || p.AppPort > 65535 {
			return fmt.Errorf("%sports[%d]: a port is between 1 and 65535", at, i)
		}
		if !isValue(string(p.Protocol)) {
			return fmt.Errorf("%sports[%d]: protocol %.100q: use http, http2 or tcp", at, i, p.Protocol)
		}
	}
	for i, p := range r.Datagrams {
		if badPort(p.Number) || badPort(p.ProxyPort) {
			return fmt.Errorf("%sdatagrams[%d]: a port is between 1 and 65535", at, i)
		}
	}
	return nil
}

func badPort(n uint32) bool { return n == 0 || n > 65535 }

// known says whether an agent may claim the health; Lost is the server's word.
func known(h model.Health) bool {
	return h == model.Healthy || h == model.Unhealthy || h == model.Draining
}

// workload is the object that a registration leaves. Labels that say which
// application it is follow from the identity, whatever the agent claims.
func workload(r model.Registration, health model.Health, now metav1.Time) v1alpha1.Workload {
	w := v1alpha1.Workload{
		TypeMeta: metav1.TypeMeta{APIVersion: "weft.dev/v1alpha1", Kind: "Workload"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Namespace, Name: r.Name, Labels: map[string]string{},
			Annotations: map[string]string{v1alpha1.HealthAnnotation: string(health)},
		},
		Spec: v1alpha1.WorkloadSpec{
			App: r.App, Version: r.Version, Gateway: r.Gateway, Address: r.Address, Host: r.Host,
			OutboundPort: int32(r.OutboundPort), Redirected: r.Redirected, DualStack: r.DualStack,
			MetricsPort: int32(r.MetricsPort),
		},
		Status: v1alpha1.WorkloadStatus{Health: string(health), Since: now},
	}
	for k, v := range r.Labels {
		w.Labels[k] = v
	}
	for k, v := range map[string]string{"app": r.App, "version": r.Version} {
		if v != "" {
			w.Labels[k] = v
		} else {
			delete(w.Labels, k)
		}
	}
	for _, p := range r.Ports {
		w.Spec.Ports = append(w.Spec.Ports, v1alpha1.WorkloadPort{
			Number: int32(p.Number), Protocol: string(p.Protocol), ProxyPort: int32(p.ProxyPort), AppPort: int32(p.AppPort),
		})
	}
	for _, p := range r.Datagrams {
		w.Spec.Ports = append(w.Spec.Ports, v1alpha1.WorkloadPort{
			Number: int32(p.Number), Protocol: string(model.UDP), ProxyPort: int32(p.ProxyPort), AppPort: int32(p.ProxyPort),
		})
	}
	return w
}

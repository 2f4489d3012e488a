package inject

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/model"
)

// Result is what becomes of a pod.
type Result struct {
	Patch  []Operation // empty: it stays as it is
	WhyNot string      // it has asked for a proxy and cannot have one; the patch says so on it
}

// Inject gives a pod its proxy. Roots are whom the proxy trusts at first, PEM.
func Inject(pod *corev1.Pod, o Options, roots string) (Result, error) {
	if stays(pod) {
		return Result{}, nil
	}
	if why := unable(pod); why != "" {
		return refusal(pod, why)
	}
	parts, err := newSidecar(pod, o, roots)
	if err != nil {
		return refusal(pod, err.Error())
	}
	p := patch{operations: parts.app} // before containers move
	p.insert("/spec/initContainers", len(pod.Spec.InitContainers) == 0, parts.redirect, parts.proxy)
	p.insert("/spec/volumes", len(pod.Spec.Volumes) == 0, parts.volumes...)
	p.entry("/metadata/labels", len(pod.Labels) == 0, model.ProxyLabel, model.ProxySidecar)
	p.entry("/metadata/annotations", len(pod.Annotations) == 0, revisionAnnotation, o.Revision)
	p.announce(pod.Annotations, parts.metrics)
	return Result{Patch: p.operations}, p.err
}

func refusal(pod *corev1.Pod, why string) (Result, error) {
	var p patch
	p.entry("/metadata/annotations", len(pod.Annotations) == 0, whyNotAnnotation, why)
	return Result{p.operations, why}, p.err
}

// stays says whether nobody wants a proxy for the pod, or it has one. Whether its
// namespace wants proxies the API server has asked before it asked us.
func stays(pod *corev1.Pod) bool {
	no := func(label string) bool { return slices.Contains([]string{"false", "disabled"}, pod.Labels[label]) }
	return no(model.InjectLabel) || no(injectLabelIstio) && pod.Labels[model.InjectLabel] == "" || pod.Labels[model.ProxyLabel] != ""
}

// unable is why a pod cannot have a proxy.
func unable(pod *corev1.Pod) string {
	spec := &pod.Spec
	switch {
	case spec.HostNetwork:
		return "it is in the network of its node, where redirection would be that of the whole node"
	case spec.OS != nil && spec.OS.Name == corev1.Windows:
		return "it runs on Windows, where there is no nftables"
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		switch {
		case c.Name == proxyName || c.Name == redirectName:
			return "its container " + c.Name + " has the name of one of weft's: rename it"
		case c.Name == "istio-proxy":
			return "it has Istio's proxy already: leave the namespace to one mesh"
		case userOf(spec, c) == model.ProxyUser:
			return fmt.Sprintf("its container %s runs as user %d, which is how the proxy is known: use another one", c.Name, model.ProxyUser)
		}
		for _, port := range c.Ports {
			if slices.Contains(proxyPorts, port.ContainerPort) {
				return fmt.Sprintf("its container %s has port %d, which is the proxy's: use another one", c.Name, port.ContainerPort)
			}
		}
	}
	return ""
}

var proxyPorts = []int32{model.RedirectedOutbound, model.RedirectedInbound, model.AgentProbes, model.AgentReady}

// userOf is whom a container runs as; -1: its image decides.
func userOf(spec *corev1.PodSpec, c corev1.Container) int64 {
	if s := c.SecurityContext; s != nil && s.RunAsUser != nil {
		return *s.RunAsUser
	}
	if s := spec.SecurityContext; s != nil && s.RunAsUser != nil {
		return *s.RunAsUser
	}
	return -1
}

// excludes are the flags of redirection for what the pod leaves alone.
func excludes(annotations map[string]string, metrics uint16) ([]string, error) {
	inbound := []string{strconv.Itoa(model.AgentProbes), strconv.Itoa(model.AgentReady)}
	if metrics != 0 {
		inbound = append(inbound, strconv.Itoa(int(metrics)))
	}
	ports, err := listed(annotations, excludeInbound, isPort)
	if err != nil {
		return nil, err
	}
	flags := []string{"--exclude-inbound=" + strings.Join(append(inbound, ports...), ",")}
	if ports, err = listed(annotations, excludeOutbound, isPort); err != nil {
		return nil, err
	} else if len(ports) > 0 {
		flags = append(flags, "--exclude-outbound="+strings.Join(ports, ","))
	}
	networks, err := listed(annotations, excludeNetworks, isNetwork)
	if err == nil && len(networks) > 0 {
		flags = append(flags, "--exclude-cidr="+strings.Join(networks, ","))
	}
	return flags, err
}

func listed(annotations map[string]string, name string, valid func(string) bool) ([]string, error) {
	var all []string
	for text := range strings.SplitSeq(annotations[name], ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if !valid(text) {
			return nil, fmt.Errorf("annotation %s: %q is not one of a list as 5432,6379 or 10.0.0.0/8", name, text)
		}
		all = append(all, text)
	}
	return all, nil
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

func isNetwork(text string) bool {
	_, err := netip.ParsePrefix(text)
	return err == nil
}

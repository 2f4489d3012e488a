package inject

import (
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/model"
)

// scrapeAnnotations are what a Prometheus that looks at pods looks for; the first says whether.
var scrapeAnnotations = []string{"prometheus.io/scrape", "prometheus.io/port", "prometheus.io/path"}

// scraped is the port at which a Prometheus reads what the pod's proxy counted; 0: nowhere.
func scraped(o Options, annotations map[string]string) (uint16, error) {
	text, ok := annotations[metricsAnnotation]
	if !ok {
		return o.MetricsPort, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("annotation %s %q: use a port, as 9900, or 0 for none", metricsAnnotation, text)
	}
	return uint16(n), nil
}

// freeFor says why a proxy cannot be scraped at a port of the pod.
func freeFor(pod *corev1.Pod, port uint16) error {
	if slices.Contains(proxyPorts, int32(port)) {
		return fmt.Errorf("port %d is the proxy's already: name another one for its metrics by the annotation %s", port, metricsAnnotation)
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		for _, p := range c.Ports {
			if port != 0 && p.ContainerPort == int32(port) {
				return fmt.Errorf("its container %s has port %d, at which its proxy is to be scraped: name another one, or 0, by the annotation %s", c.Name, port, metricsAnnotation)
			}
		}
	}
	return nil
}

// scrapeAt has the proxy answer a Prometheus at a port.
func scrapeAt(proxy *corev1.Container, port uint16) {
	if port == 0 {
		return
	}
	proxy.Args = append(proxy.Args, "--metrics=:"+strconv.Itoa(int(port)))
	proxy.Ports = append(proxy.Ports, corev1.ContainerPort{Name: model.MetricsPortName, ContainerPort: int32(port)})
}

// announce tells a Prometheus of the port, unless the pod tells it of another one, or not to ask.
func (p *patch) announce(annotations map[string]string, port uint16) {
	told := func(name string) bool { _, ok := annotations[name]; return ok }
	if port == 0 || slices.ContainsFunc(scrapeAnnotations, told) {
		return
	}
	for i, value := range []string{"true", strconv.Itoa(int(port)), model.MetricsPath} {
		p.entry("/metadata/annotations", false, scrapeAnnotations[i], value)
	}
}

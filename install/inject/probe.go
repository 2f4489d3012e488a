package inject

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weft.dev/model"
)

// rewriting collects the probes that the agent does from now on.
type rewriting struct {
	patch
	probes model.Probes
}

// rewritten leads the probes of a pod's containers to the agent. What runs a
// command stays: the kubelet runs it in the container.
func rewritten(pod *corev1.Pod) (*rewriting, error) {
	r := &rewriting{probes: model.Probes{}}
	for i, c := range pod.Spec.InitContainers {
		if err := r.container(fmt.Sprintf("/spec/initContainers/%d", i), c); err != nil {
			return nil, err
		}
	}
	for i, c := range pod.Spec.Containers {
		if err := r.container(fmt.Sprintf("/spec/containers/%d", i), c); err != nil {
			return nil, err
		}
	}
	return r, r.err
}

func (r *rewriting) container(path string, c corev1.Container) error {
	life := c.Lifecycle
	if life == nil {
		life = &corev1.Lifecycle{}
	}
	return errors.Join(
		r.probe(path, c, "liveness", c.LivenessProbe), r.probe(path, c, "readiness", c.ReadinessProbe), r.probe(path, c, "startup", c.StartupProbe),
		r.hook(path, c, "postStart", life.PostStart), r.hook(path, c, "preStop", life.PreStop),
	)
}

func (r *rewriting) probe(path string, c corev1.Container, kind string, p *corev1.Probe) error {
	if p == nil {
		return nil
	}
	return r.handler(path+"/"+kind+"Probe", c, kind, p.ProbeHandler, p.TimeoutSeconds)
}

func (r *rewriting) hook(path string, c corev1.Container, kind string, h *corev1.LifecycleHandler) error {
	if h == nil || h.HTTPGet == nil {
		return nil
	}
	return r.handler(path+"/lifecycle/"+kind, c, kind, corev1.ProbeHandler{HTTPGet: h.HTTPGet}, hookSeconds)
}

// hookSeconds bound a hook, which the kubelet lets take the grace period.
const hookSeconds = 30

func (r *rewriting) handler(path string, c corev1.Container, kind string, h corev1.ProbeHandler, seconds int32) error {
	p := model.Probe{Seconds: seconds}
	var port intstr.IntOrString
	var field string
	switch {
	case h.HTTPGet != nil && h.HTTPGet.Host == "": // another host's is none of the proxy's business
		field, port, p.HTTP = "httpGet", h.HTTPGet.Port, httpProbe(h.HTTPGet)
	case h.TCPSocket != nil && h.TCPSocket.Host == "":
		field, port = "tcpSocket", h.TCPSocket.Port
	case h.GRPC != nil:
		field, port, p.GRPC = "grpc", intstr.FromInt32(h.GRPC.Port), &model.GRPCProbe{}
		if h.GRPC.Service != nil {
			p.GRPC.Service = *h.GRPC.Service
		}
	default:
		return nil
	}
	var ok bool
	if p.Port, ok = numberOf(port, c); !ok {
		return fmt.Errorf("its container %s asks port %s in its %s probe, which it does not declare", c.Name, port.String(), kind)
	}
	key := c.Name + "/" + kind
	r.probes[key] = p
	r.remove(path + "/" + field)
	r.do("add", path+"/httpGet", corev1.HTTPGetAction{Path: model.ProbePath + key, Port: intstr.FromInt32(model.AgentProbes)})
	return nil
}

func httpProbe(get *corev1.HTTPGetAction) *model.HTTPProbe {
	p := &model.HTTPProbe{Path: get.Path, TLS: get.Scheme == corev1.URISchemeHTTPS}
	for _, h := range get.HTTPHeaders {
		p.Headers = append(p.Headers, [2]string{http.CanonicalHeaderKey(h.Name), h.Value})
	}
	return p
}

func numberOf(port intstr.IntOrString, c corev1.Container) (uint16, bool) {
	if port.Type == intstr.Int {
		return uint16(port.IntVal), port.IntVal > 0 && port.IntVal < 1<<16
	}
	for _, p := range c.Ports {
		if p.Name == port.StrVal {
			return uint16(p.ContainerPort), true
		}
	}
	number, err := strconv.ParseUint(port.StrVal, 10, 16)
	return uint16(number), err == nil && number > 0
}

// text is the probes as the agent reads them; "" if there are none.
func (r *rewriting) text() (string, error) {
	if len(r.probes) == 0 {
		return "", nil
	}
	text, err := json.Marshal(r.probes)
	return string(text), err
}

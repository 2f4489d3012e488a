package model

import "encoding/json"

// Pod is one pod of a Kubernetes cluster that has an address. Key: namespace/name.
// There are as many as endpoints: what a pod has alone is held once for all who name it.
type Pod struct {
	*Instance
	*PodTemplate
}

// PodTemplate is what replicas have in common. It is shared, and never changed.
type PodTemplate struct {
	ID             string // equal ones have the same
	Namespace      string
	Labels         map[string]string
	ServiceAccount string
	DualStack      bool // it has an address of the other version of IP, too
	Ports          []PodPort
	Datagrams      []PodPort // those of UDP
	MetricsPort    uint32    // where a Prometheus can read what its proxy counted; 0: nowhere
	Proxy          bool      // it has a proxy, which all of its TCP is led into
}

// PodPort is a port that a container declares. Undeclared ones may be served too.
type PodPort struct {
	Name   string
	Number uint32
}

// NewPodTemplate gives a template its ID.
func NewPodTemplate(t PodTemplate) *PodTemplate {
	t.ID = ""
	body, err := json.Marshal(t)
	if err != nil {
		panic("model: pod: " + err.Error())
	}
	t.ID = t.Namespace + "#" + VersionText(HashBody(body))
	return &t
}

func (p Pod) Key() string { return p.Workload }

func (p Pod) Equal(o Pod) bool { return p.Instance.equal(o.Instance) && p.ID == o.ID }

package model

import (
	"maps"
	"slices"
)

// Pod is one pod of a Kubernetes cluster that has an address. Key: namespace/name.
type Pod struct {
	Namespace, Name string
	Labels          map[string]string
	ServiceAccount  string
	Address         string // IP
	DualStack       bool   // it has an address of the other version of IP, too
	Ports           []PodPort
	Ready           bool // Kubernetes sends requests to it
	Leaving         bool // it is being deleted
	Proxy           bool // it has a proxy, which all of its TCP is led into
}

// PodPort is a port that a container declares. Undeclared ones may be served too.
type PodPort struct {
	Name   string
	Number uint32
}

func (p Pod) Key() string { return p.Namespace + "/" + p.Name }

func (p Pod) Equal(o Pod) bool {
	return p.Namespace == o.Namespace && p.Name == o.Name && p.ServiceAccount == o.ServiceAccount && p.Address == o.Address && p.DualStack == o.DualStack &&
		p.Ready == o.Ready && p.Leaving == o.Leaving && p.Proxy == o.Proxy && slices.Equal(p.Ports, o.Ports) && maps.Equal(p.Labels, o.Labels)
}

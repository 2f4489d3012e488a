package model

import (
	"cmp"
	"slices"
	"strings"
)

// Replicas are workloads that nothing tells apart but what an Instance says: pods of one
// template, mostly. There are as many instances as endpoints, so this is what is stored of them. Key: ID.
type Replicas struct {
	ID string
	// Workload is what they have in common: no name, no health, and as the address that of the
	// only one or else every address of the version of IP.
	Workload
	Instances []*Instance // by workload, ascending; shared, and never changed
}

// Instance is what tells replicas apart.
type Instance struct {
	Workload string // its key
	Address  string
	Health   Health
}

// Name is the one without the namespace.
func (i *Instance) Name() string { return i.Workload[strings.IndexByte(i.Workload, '/')+1:] }

func (i *Instance) equal(o *Instance) bool { return i == o || *i == *o }

// Single is a workload that has no replicas.
func Single(w Workload) Replicas {
	r := Replicas{ID: w.Key(), Workload: w, Instances: []*Instance{{w.Key(), w.Address, w.Health}}}
	r.Name, r.Health = "", ""
	return r
}

func (r Replicas) Key() string { return r.ID }

func (r Replicas) Equal(o Replicas) bool {
	return r.ID == o.ID && r.Workload.Equal(o.Workload) && slices.EqualFunc(r.Instances, o.Instances, (*Instance).equal)
}

// All are the workloads, by name.
func (r Replicas) All() []Workload {
	all := make([]Workload, len(r.Instances))
	for i, instance := range r.Instances {
		all[i] = r.of(instance)
	}
	return all
}

func (r Replicas) of(i *Instance) Workload {
	w := r.Workload
	w.Name, w.Address, w.Health = i.Name(), i.Address, i.Health
	return w
}

// Families are those of the instances, for an index in which an instance is found by its key.
func (r Replicas) Families() []string { return families(r.Instances) }

func families(all []*Instance) []string {
	var names []string
	for _, i := range all {
		if f := Family(i.Workload); len(names) == 0 || f != names[len(names)-1] {
			names = append(names, f)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Family is the part of a workload's key that its replicas have in common: all before the last dash.
// Replicas that are found by it may have no instance of that name.
func Family(workload string) string {
	if i := strings.LastIndexByte(workload, '-'); i > strings.IndexByte(workload, '/') {
		return workload[:i]
	}
	return workload
}

// Among finds a workload by its key among those of its family.
func Among(family []Replicas, workload string) (w Workload, ok bool) {
	for _, r := range family {
		if i, found := instanceOf(r.Instances, workload); found {
			return r.of(r.Instances[i]), true
		}
	}
	return w, false
}

func instanceOf(all []*Instance, workload string) (int, bool) {
	return slices.BinarySearchFunc(all, workload, func(i *Instance, key string) int { return cmp.Compare(i.Workload, key) })
}

// At is the workload at an address.
func (r Replicas) At(ip string) (w Workload, ok bool) {
	i := slices.IndexFunc(r.Instances, func(i *Instance) bool { return i.Address == ip })
	if i < 0 {
		return w, false
	}
	return r.of(r.Instances[i]), true
}

// Neighbourhoods are those of the instances' addresses, for an index in which an instance is found by its address.
func (r Replicas) Neighbourhoods() []string {
	var all []string
	for _, i := range r.Instances {
		all = append(all, Neighbourhood(i.Address))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Neighbourhood is the part of an address that many have: a node's pods, mostly.
func Neighbourhood(ip string) string { return ip[:strings.LastIndexAny(ip, ".:")+1] }

// Workloads are all instances of replicas, by key.
func Workloads(all []Replicas) []Workload {
	var workloads []Workload
	for _, r := range all {
		workloads = append(workloads, r.All()...)
	}
	slices.SortFunc(workloads, func(a, b Workload) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return workloads
}

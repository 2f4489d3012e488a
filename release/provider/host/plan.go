package host

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/model"
)

const (
	// leaseTime of silence makes a host one of which nobody knows what it runs.
	leaseTime = model.LeaseInterval * model.LeaseIntervals
	// MoveAfter is for how long a host is silent until others get its share.
	MoveAfter = 2 * time.Minute
)

// machine is what one host said last.
type machine struct {
	report model.HostReport
	at     time.Time
	states map[string]model.HostState // by namespace/name
	// may says whether the host's certificate covers an application's identity.
	may func(namespace, app string) bool
	// done are the instances, namespace/name, that it was told to end and has said that it has not.
	done map[string]bool
}

// fleet is all hosts by name, at a moment.
type fleet struct {
	hosts map[string]*machine
	now   time.Time
	began time.Time      // since when hosts are heard
	load  map[string]int // instances of all versions that stay, by host
}

// silent is for how long nothing was heard of a host.
func (f fleet) silent(host string) time.Duration {
	if m := f.hosts[host]; m != nil {
		return f.now.Sub(m.at)
	}
	return f.now.Sub(f.began)
}

func (f fleet) alive(host string) bool { return f.hosts[host] != nil && f.silent(host) < leaseTime }

// state is how an instance is, as far as is known.
func (f fleet) state(v *v1alpha1.HostVersion, i v1alpha1.HostInstance) model.HostState {
	if !f.alive(i.Host) {
		return model.HostState{}
	}
	return f.hosts[i.Host].states[v.Namespace+"/"+i.Name]
}

// lets says why a host cannot have instances of a version; "": it can.
func (f fleet) lets(host string, v *v1alpha1.HostVersion) string {
	m := f.hosts[host]
	for name, value := range v.Spec.Run.Hosts {
		if m.report.Labels[name] != string(value) {
			return fmt.Sprintf("%s has no label %s=%s", host, name, value)
		}
	}
	switch app := v.Namespace + "/" + v.Spec.Application; {
	case !f.alive(host):
		return host + " is silent"
	case !slices.ContainsFunc(m.report.Allows, func(p string) bool { return p == app || p == v.Namespace+"/*" }):
		return fmt.Sprintf("%s does not let weft start %s: its operator says which with weft host --allow", host, app)
	case !m.may(v.Namespace, v.Spec.Application):
		return fmt.Sprintf("the token that %s joined with does not cover %s", host, app)
	}
	return ""
}

// plan has a version's instances be as it says, one step further.
func (f fleet) plan(v *v1alpha1.HostVersion) {
	f.drop(v)
	f.abandon(v)
	if v.Spec.Deleted {
		end(v.Spec.Instances, func(v1alpha1.HostInstance) bool { return true })
		return
	}
	current, ready := 0, 0
	for _, i := range v.Spec.Instances {
		if !i.Ends && i.Round == v.Spec.Round {
			current++
			if f.state(v, i).Ready {
				ready++
			}
		}
	}
	for ; current > int(v.Spec.Replicas); current-- {
		endOne(v)
	}
	for ; current < int(v.Spec.Replicas) && f.startOne(v); current++ {
	}
	old := 0
	for _, i := range v.Spec.Instances {
		if !i.Ends && i.Round != v.Spec.Round {
			old++
		}
	}
	for ; old > max(0, int(v.Spec.Replicas)-ready); old-- {
		f.endOld(v)
	}
}

// drop forgets the instances that were told to end, and that their hosts say are gone.
func (f fleet) drop(v *v1alpha1.HostVersion) {
	v.Spec.Instances = slices.DeleteFunc(v.Spec.Instances, func(i v1alpha1.HostInstance) bool {
		m := f.hosts[i.Host]
		return i.Ends && m != nil && m.done[v.Namespace+"/"+i.Name]
	})
}

// abandon ends the instances of hosts that are silent for too long. If most of the
// version's hosts are, it is likely us whom nobody reaches, and none is abandoned.
func (f fleet) abandon(v *v1alpha1.HostVersion) {
	hosts, silent := map[string]bool{}, 0
	for _, i := range v.Spec.Instances {
		if !i.Ends && !hosts[i.Host] {
			hosts[i.Host] = true
			if !f.alive(i.Host) {
				silent++
			}
		}
	}
	if 2*silent <= len(hosts) {
		end(v.Spec.Instances, func(i v1alpha1.HostInstance) bool { return f.silent(i.Host) >= MoveAfter })
	}
}

func end(all []v1alpha1.HostInstance, which func(v1alpha1.HostInstance) bool) {
	for n := range all {
		all[n].Ends = all[n].Ends || which(all[n])
	}
}

// startOne gives an instance more to the host that has fewest; false: there is none that may have it.
func (f fleet) startOne(v *v1alpha1.HostVersion) bool {
	has := counts(v)
	best := ""
	for host := range f.hosts {
		if f.lets(host, v) == "" && (best == "" || f.less(has, host, best)) {
			best = host
		}
	}
	if best == "" {
		return false
	}
	v.Spec.Made++
	f.load[best]++
	name := fmt.Sprintf("%s-%d", v.Name, v.Spec.Made)
	v.Spec.Instances = append(v.Spec.Instances, v1alpha1.HostInstance{Name: name, Host: best, Round: v.Spec.Round})
	return true
}

// less says which host comes first: fewer of the version, fewer of all, its name.
func (f fleet) less(has map[string]int, a, b string) bool {
	return cmp.Or(cmp.Compare(has[a], has[b]), cmp.Compare(f.load[a], f.load[b]), strings.Compare(a, b)) < 0
}

// counts are the instances of the version's round that stay, by host.
func counts(v *v1alpha1.HostVersion) map[string]int {
	has := map[string]int{}
	for _, i := range v.Spec.Instances {
		if !i.Ends && i.Round == v.Spec.Round {
			has[i.Host]++
		}
	}
	return has
}

// endOne ends the youngest of the version's round on the host that has most of it.
func endOne(v *v1alpha1.HostVersion) {
	has := counts(v)
	found := -1
	for n, i := range v.Spec.Instances {
		if !i.Ends && i.Round == v.Spec.Round && (found < 0 || has[i.Host] >= has[v.Spec.Instances[found].Host]) {
			found = n
		}
	}
	v.Spec.Instances[found].Ends = true
}

// endOld ends an instance of an earlier round: one that is not ready, if there is.
func (f fleet) endOld(v *v1alpha1.HostVersion) {
	found := -1
	for n, i := range v.Spec.Instances {
		if i.Ends || i.Round == v.Spec.Round {
			continue
		}
		if found < 0 || f.state(v, v.Spec.Instances[found]).Ready && !f.state(v, i).Ready {
			found = n
		}
	}
	v.Spec.Instances[found].Ends = true
}

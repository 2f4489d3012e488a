package model

import "slices"

// Known is which services the proxies of a cohort are told of. Key: Cohort.
type Known struct {
	Cohort string // its key
	// All: every service of the mesh, now and later. Hosts is empty then.
	All   bool
	Hosts []string // of services, sorted; some may not exist (yet)
	// Closed: what no service has cannot be called, even where all traffic is led into the proxy.
	Closed bool
}

func (k Known) Key() string { return k.Cohort }
func (k Known) Equal(o Known) bool {
	return k.Cohort == o.Cohort && k.All == o.All && k.Closed == o.Closed && slices.Equal(k.Hosts, o.Hosts)
}

// AskPrefix begins the name of every virtual host of the calls that workloads
// make; in one that a proxy asks for, the authority follows as the caller wrote
// it, in lower case.
const AskPrefix = "outbound/"

// StrayHost is the virtual host by whose pattern an agent makes one for each
// authority that nobody knows. Where it is, such calls go where they were going.
const StrayHost = AskPrefix + "stray.invalid"

// Ask is a resource that a connected proxy asked for by name, on behalf of a
// request that waits for it, and that its view lacked. It stays for as long as
// the proxy is connected and does not unsubscribe. Key: Proxy, Type, Name.
type Ask struct {
	Proxy string // key of its workload
	Type  Type
	Name  string // as it was asked for
}

func (a Ask) Key() string      { return a.Proxy + "|" + a.Type.String() + "|" + a.Name }
func (a Ask) Equal(o Ask) bool { return a == o }

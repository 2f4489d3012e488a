package model

import (
	"encoding/json"
	"net/netip"
)

// Cohort is all workloads whose proxies are told the same, whoever selects them:
// replicas, mostly. Key: ID.
type Cohort struct {
	ID       string
	Workload // any of them, without what tells them apart
}

func (c Cohort) Key() string         { return c.ID }
func (c Cohort) Equal(o Cohort) bool { return c.ID == o.ID && c.Workload.Equal(o.Workload) }

// Cohort is the ID of the workload's cohort; "": it has no proxy.
func (w Workload) Cohort() string {
	if w.Interception == NoProxy {
		return ""
	}
	body, err := json.Marshal(w.Alike())
	if err != nil {
		panic("model: workload: " + err.Error())
	}
	return w.Namespace + "/" + w.Account() + "#" + VersionText(HashBody(body))
}

// Alike is the workload without what does not matter to its proxy. Where all
// traffic is led into the proxy, its address is of no matter either.
func (w Workload) Alike() Workload {
	w.Name, w.Health, w.Datagrams = "", "", nil
	if w.Interception == Redirected && w.Gateway == "" {
		w.Address = AnyAddress(w.Address)
	}
	return w
}

// AnyAddress is every address of the version of an IP.
func AnyAddress(ip string) string { return ByVersion(ip, "0.0.0.0", "::") }

// ByVersion chooses by the version of an IP; what is no IP passes for IPv4.
func ByVersion(ip, v4, v6 string) string {
	if parsed, err := netip.ParseAddr(ip); err == nil && parsed.Is6() {
		return v6
	}
	return v4
}

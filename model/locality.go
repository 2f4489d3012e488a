package model

import (
	"cmp"
	"strings"
)

// Labels that say where a workload is: those of Kubernetes and Istio, and before them one that says all, with dots
// where its kind of label cannot have slashes.
const (
	RegionLabel   = "topology.kubernetes.io/region"
	ZoneLabel     = "topology.kubernetes.io/zone"
	SubzoneLabel  = "topology.istio.io/subzone"
	LocalityLabel = "topology.istio.io/locality"

	oldLocalityLabel = "istio-locality"
)

// LocalityOf is where the labels say that a workload is: "region/zone/subzone", or the front of it; "": nowhere.
func LocalityOf(labels map[string]string) string {
	if all := cmp.Or(labels[LocalityLabel], labels[oldLocalityLabel]); all != "" {
		if !strings.Contains(all, "/") {
			all = strings.ReplaceAll(all, ".", "/")
		}
		return strings.TrimRight(all, "/")
	}
	if labels[RegionLabel] == "" && labels[ZoneLabel] == "" { // most workloads, of whom nobody says it
		return ""
	}
	return JoinLocality(labels[RegionLabel], labels[ZoneLabel], labels[SubzoneLabel])
}

// JoinLocality is "region/zone/subzone" without what is not said of it: the inverse of SplitLocality.
func JoinLocality(region, zone, subzone string) string {
	return strings.TrimRight(region+"/"+zone+"/"+subzone, "/")
}

// SplitLocality are region, zone and subzone.
func SplitLocality(locality string) (parts [3]string) {
	copy(parts[:], strings.SplitN(locality, "/", 3))
	return parts
}

// Localities says that a caller does not call all endpoints alike: those of the places that it names get shares, or
// those that are near are called as long as they are well. With nothing set, near is the same subzone, then the same
// zone, then the same region.
type Localities struct {
	Shares []LocalityShares // the first one for where a caller is counts
	// Failover says for callers of a region which other one comes next; those that are left come last.
	Failover []RegionFailover
	// Near are labels: who has as the caller all of them comes first, then who has all but the last, and so on.
	// KEY=VALUE is for every caller as if it had that value.
	Near []string
}

// LocalityShares are those that callers in a place give to others. A place is "region/zone/subzone" or the front of it; "*" is any.
type LocalityShares struct {
	Callers string
	To      []LocalityShare // the more it says the sooner; endpoints elsewhere get none
}

type LocalityShare struct {
	Place   string
	Percent uint32
}

// RegionFailover is where callers of a region call when nothing in it is well.
type RegionFailover struct{ Callers, To string }

// InPlace says whether a locality is in the place, of which "*" is any part.
func InPlace(locality, place string) bool {
	have := SplitLocality(locality)
	for i, want := range SplitLocality(place) {
		if want != "" && want != "*" && want != have[i] {
			return false
		}
	}
	return true
}

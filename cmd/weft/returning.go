package main

import (
	"time"

	"weft.dev/release"
	provider "weft.dev/release/provider/mesh"
)

// comeBack is how long after a server's start proxies may take to find it again: their
// agents try at most every seven and a half seconds.
const comeBack = 10 * time.Second

// returning is a mesh whose proxies come back after the server's start. Who is connected by
// then is not all that have to apply something: "0 of 0 proxies" would let a release go on.
type returning struct {
	provider.Mesh
	expected func() int // proxies of healthy workloads
	until    time.Time
	now      func() time.Time
}

// Applied implements the release provider's Mesh.
func (r returning) Applied(namespace, name string, generation int64) release.Applied {
	applied := r.Mesh.Applied(namespace, name, generation)
	if r.now().Before(r.until) && applied.Proxies < r.expected() {
		return release.Applied{}
	}
	return applied
}

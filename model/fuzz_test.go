package model_test

import (
	"strings"
	"testing"

	"weft.dev/model"
)

// What is read as the name of a cluster is what ClusterName writes, and all
// that it writes is read.
func FuzzClusterName(f *testing.F) {
	for _, seed := range []string{"reviews.shop.svc.cluster.local:9080", "a:80/v1", "a:080", "a:80/", "a:+80", ":1", "a:1/b:2/c", "[::1]:80", "a:65536", "a", "/:1"} {
		f.Add(seed, uint16(80), "v1")
	}
	f.Fuzz(func(t *testing.T, text string, port uint16, subset string) {
		if host, port, subset, ok := model.ParseClusterName(text); ok && model.ClusterName(host, port, subset) != text {
			t.Errorf("%q is read as host %q, port %d, subset %q", text, host, port, subset)
		}
		if text == "" || strings.Contains(text, "/") {
			return
		}
		host, number, part, ok := model.ParseClusterName(model.ClusterName(text, uint32(port), subset))
		if !ok || host != text || number != uint32(port) || part != subset {
			t.Errorf("%q %d %q is read as %q %d %q %v", text, port, subset, host, number, part, ok)
		}
	})
}

// A host of the mesh has a name and a namespace, which is without a dot.
func FuzzSplitHost(f *testing.F) {
	for _, seed := range []string{"reviews.shop.svc.cluster.local", "a.b.c.svc.cluster.local", ".svc.cluster.local", "a..svc.cluster.local", ".a.svc.cluster.local", "svc.cluster.local", "*.shop.svc.cluster.local"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name, namespace, ok := model.SplitHost(host)
		if !ok {
			return
		}
		if model.HostOf(namespace, name) != host || name == "" || namespace == "" || strings.Contains(namespace, ".") {
			t.Errorf("%q is read as service %q of namespace %q", host, name, namespace)
		}
	})
}

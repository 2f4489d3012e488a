package kube

import (
	"fmt"
	"testing"

	"weft.dev/test/process"
)

// TestBookinfoWithoutMesh: the cluster and the parts work by themselves.
func TestBookinfoWithoutMesh(t *testing.T) {
	namespace := Namespace(t, "bookinfo-plain")
	Apply(t, namespace, Sample(t, "platform/kube/bookinfo.yaml"))
	Rollout(t, namespace)
	url := ServiceURL(t, namespace, "productpage")
	err := process.Until(Patience, func() error {
		page, err := Productpage(url, "")
		if err == nil && !page.whole() {
			err = fmt.Errorf("a page without its parts: %+v", page)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

package serve

import (
	"slices"

	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/tools/cache"
)

// addGroupDiscovery lists the groups of CRDs at /apis for clients that know only
// the plain form of discovery. On a cluster the aggregator does this; the CRD
// server itself puts them into the aggregated form alone.
func (s *Server) addGroupDiscovery() error {
	informer := s.api.Informers.Apiextensions().V1().CustomResourceDefinitions()
	lister := informer.Lister()
	update := func(obj any) {
		if deleted, ok := obj.(cache.DeletedFinalStateUnknown); ok {
			obj = deleted.Obj
		}
		crd, ok := obj.(*crdv1.CustomResourceDefinition)
		if !ok {
			return
		}
		all, err := lister.List(labels.Everything())
		if err != nil {
			return // a cache in memory
		}
		manager := s.api.GenericAPIServer.DiscoveryGroupManager
		if group := apiGroup(crd.Spec.Group, all); len(group.Versions) > 0 {
			manager.AddGroup(group)
		} else {
			manager.RemoveGroup(crd.Spec.Group)
		}
	}
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: update, UpdateFunc: func(_, obj any) { update(obj) }, DeleteFunc: update,
	})
	return err
}

// apiGroup has every version that an established CRD of the group serves, the
// most stable first.
func apiGroup(name string, crds []*crdv1.CustomResourceDefinition) metav1.APIGroup {
	var versions []string
	for _, crd := range crds {
		if crd.Spec.Group != name || condition(crd, crdv1.Established) != crdv1.ConditionTrue {
			continue
		}
		for _, v := range crd.Spec.Versions {
			if v.Served && !slices.Contains(versions, v.Name) {
				versions = append(versions, v.Name)
			}
		}
	}
	slices.SortFunc(versions, func(a, b string) int { return version.CompareKubeAwareVersionStrings(b, a) })
	group := metav1.APIGroup{Name: name}
	for _, v := range versions {
		gv := schema.GroupVersion{Group: name, Version: v}
		group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: v})
	}
	if len(group.Versions) > 0 {
		group.PreferredVersion = group.Versions[0]
	}
	return group
}

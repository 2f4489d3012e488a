package serve

import (
	"maps"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
)

// eventTTL is how long events are kept.
const eventTTL = time.Hour

// builtin is a Kubernetes kind that is served without a CRD.
type builtin struct {
	version          schema.GroupVersion
	plural, singular string
	short            []string
	global           bool
	newObject        func() runtime.Object
	newList          func() runtime.Object
	// prepare completes an object before it is stored; old is nil if it is new. Optional.
	prepare func(obj, old runtime.Object)
	// validate says what is wrong with an object; old is nil if it is new. Optional.
	validate func(obj, old runtime.Object) field.ErrorList
	// copyStatus copies the status, for kinds that have it as a subresource.
	copyStatus func(to, from runtime.Object)
	// fields that clients may select by, beside name and namespace; of nil, their names. Optional.
	fields func(runtime.Object) map[string]string
	ttl    time.Duration
	table  columns
}

// builtins is never changed.
var builtins = []builtin{
	{
		version: corev1.SchemeGroupVersion, plural: "namespaces", singular: "namespace", short: []string{"ns"}, global: true,
		newObject: func() runtime.Object { return &corev1.Namespace{} }, newList: func() runtime.Object { return &corev1.NamespaceList{} },
		prepare: prepareNamespace, validate: validateNamespace, table: namespaceColumns,
		copyStatus: func(to, from runtime.Object) { to.(*corev1.Namespace).Status = from.(*corev1.Namespace).Status },
	},
	{
		version: corev1.SchemeGroupVersion, plural: "services", singular: "service", short: []string{"svc"},
		newObject: func() runtime.Object { return &corev1.Service{} }, newList: func() runtime.Object { return &corev1.ServiceList{} },
		prepare: prepareService, validate: validateService, table: serviceColumns,
		copyStatus: func(to, from runtime.Object) { to.(*corev1.Service).Status = from.(*corev1.Service).Status },
	},
	{
		version: corev1.SchemeGroupVersion, plural: "secrets", singular: "secret",
		newObject: func() runtime.Object { return &corev1.Secret{} }, newList: func() runtime.Object { return &corev1.SecretList{} },
		prepare: prepareSecret, validate: validateSecret, fields: secretFields, table: secretColumns,
	},
	{
		version: corev1.SchemeGroupVersion, plural: "configmaps", singular: "configmap", short: []string{"cm"},
		newObject: func() runtime.Object { return &corev1.ConfigMap{} }, newList: func() runtime.Object { return &corev1.ConfigMapList{} },
		validate: validateConfigMap, table: configMapColumns,
	},
	{
		version: corev1.SchemeGroupVersion, plural: "serviceaccounts", singular: "serviceaccount", short: []string{"sa"},
		newObject: func() runtime.Object { return &corev1.ServiceAccount{} }, newList: func() runtime.Object { return &corev1.ServiceAccountList{} },
	},
	{
		version: corev1.SchemeGroupVersion, plural: "events", singular: "event", short: []string{"ev"},
		newObject: func() runtime.Object { return &corev1.Event{} }, newList: func() runtime.Object { return &corev1.EventList{} },
		fields: eventFields, ttl: eventTTL, table: eventColumns,
	},
	{
		version: discoveryv1.SchemeGroupVersion, plural: "endpointslices", singular: "endpointslice",
		newObject: func() runtime.Object { return &discoveryv1.EndpointSlice{} }, newList: func() runtime.Object { return &discoveryv1.EndpointSliceList{} },
		prepare: prepareEndpointSlice, validate: validateEndpointSlice, table: endpointSliceColumns,
	},
	{
		version: coordinationv1.SchemeGroupVersion, plural: "leases", singular: "lease",
		newObject: func() runtime.Object { return &coordinationv1.Lease{} }, newList: func() runtime.Object { return &coordinationv1.LeaseList{} },
		table: leaseColumns,
	},
}

// storages makes the REST storage of the kind and of its subresources.
func (k builtin) storages(s *runtime.Scheme, options generic.RESTOptionsGetter) (map[string]rest.Storage, error) {
	strategy := strategy{ObjectTyper: s, kind: k}
	store := &genericregistry.Store{
		NewFunc:                   k.newObject,
		NewListFunc:               k.newList,
		DefaultQualifiedResource:  schema.GroupResource{Group: k.version.Group, Resource: k.plural},
		SingularQualifiedResource: schema.GroupResource{Group: k.version.Group, Resource: k.singular},
		CreateStrategy:            strategy,
		UpdateStrategy:            strategy,
		DeleteStrategy:            strategy,
		TableConvertor:            k.table,
	}
	if k.ttl > 0 {
		store.TTLFunc = func(runtime.Object, uint64, bool) (uint64, error) { return uint64(k.ttl / time.Second), nil }
	}
	if err := store.CompleteWithOptions(&generic.StoreOptions{RESTOptions: options, AttrFunc: k.attributes}); err != nil {
		return nil, err
	}
	all := map[string]rest.Storage{k.plural: resource{store, k.short}}
	if k.copyStatus != nil {
		status := *store
		status.UpdateStrategy = statusStrategy{strategy}
		all[k.plural+"/status"] = statusStorage{&status}
	}
	return all, nil
}

// attributes are what list and watch can select by.
func (k builtin) attributes(obj runtime.Object) (labels.Set, fields.Set, error) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, nil, err
	}
	set := fields.Set{"metadata.name": m.GetName()}
	if !k.global {
		set["metadata.namespace"] = m.GetNamespace()
	}
	if k.fields != nil {
		maps.Copy(set, k.fields(obj))
	}
	return m.GetLabels(), set, nil
}

// resource is a store that says its kind's short names.
type resource struct {
	*genericregistry.Store
	short []string
}

func (r resource) ShortNames() []string { return r.short }

// statusStorage serves the status subresource.
type statusStorage struct{ store *genericregistry.Store }

func (s statusStorage) New() runtime.Object { return s.store.New() }
func (s statusStorage) Destroy()            {} // the store is the main resource's

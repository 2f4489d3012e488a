package serve

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/registry/generic"
	"k8s.io/apiserver/pkg/registry/rest"
	genericapiserver "k8s.io/apiserver/pkg/server"
	serveroptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/tools/cache"

	"weft.dev/api"
)

// etcdPrefix is Kubernetes' own, so that its tools for etcd work.
const etcdPrefix = "/registry"

func (s *Server) etcdOptions(codec runtime.Codec) *serveroptions.EtcdOptions {
	o := serveroptions.NewEtcdOptions(storagebackend.NewDefaultConfig(etcdPrefix, codec))
	o.StorageConfig.Transport.ServerList = []string{s.etcd.endpoint}
	return o
}

func restOptions(o *serveroptions.EtcdOptions, cfg *genericapiserver.RecommendedConfig) generic.RESTOptionsGetter {
	o.StorageConfig.StorageObjectCountTracker = cfg.StorageObjectCountTracker
	return o.CreateRESTOptionsGetter(&serveroptions.SimpleStorageFactory{StorageConfig: o.StorageConfig}, nil)
}

// records are kinds that only ever grow in number, and that few watch. A watch cache takes four to eight
// times the bytes of an object for as long as it is kept; without one each watch reads from etcd by itself.
var records = []api.Kind{api.Release, api.PipelineRun, api.Decision, api.Version, api.Blob}

// cachedOnce gives a watch cache to the version of a kind that weft reads, unless it is a record,
// and to all kinds that weft does not know. The CRD server would keep one per
// version: of Istio's kinds three copies of every object. Clients of the other
// versions read from etcd. Which version is asked for, only the storage's own objects say.
type cachedOnce struct{ generic.RESTOptionsGetter }

func (g cachedOnce) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions, error) {
	options, err := g.RESTOptionsGetter.GetRESTOptions(resource, example)
	cached := options.Decorator
	options.Decorator = func(
		config *storagebackend.ConfigForResource, prefix string, key func(runtime.Object) (string, error), newObject, newList func() runtime.Object,
		attributes storage.AttrFunc, triggers storage.IndexerFuncs, indexers *cache.Indexers,
	) (storage.Interface, factory.DestroyFunc, error) {
		version := newObject().GetObjectKind().GroupVersionKind()
		info, known := api.KindOf(version.Group, version.Kind)
		if known && (info.Version.Version != version.Version || slices.Contains(records, info.Kind)) {
			return generic.NewRawStorage(config, newObject, newList, prefix)
		}
		return cached(config, prefix, key, newObject, newList, attributes, triggers, indexers)
	}
	return options, err
}

// installBuiltins serves the kinds that have no CRD.
func installBuiltins(s *genericapiserver.GenericAPIServer, scheme *runtime.Scheme, codecs serializer.CodecFactory, options generic.RESTOptionsGetter) error {
	groups := map[string]*genericapiserver.APIGroupInfo{}
	for _, k := range builtins {
		storages, err := k.storages(scheme, options)
		if err != nil {
			return err
		}
		group := groups[k.version.Group]
		if group == nil {
			info := genericapiserver.NewDefaultAPIGroupInfo(k.version.Group, scheme, runtime.NewParameterCodec(scheme), codecs)
			info.VersionedResourcesStorageMap[k.version.Version] = map[string]rest.Storage{}
			group = &info
			groups[k.version.Group] = group
		}
		for path, storage := range storages {
			group.VersionedResourcesStorageMap[k.version.Version][path] = storage
		}
	}
	for name, group := range groups {
		if name == "" {
			if err := s.InstallLegacyAPIGroup(genericapiserver.DefaultLegacyAPIPrefix, group); err != nil {
				return err
			}
			continue
		}
		if err := s.InstallAPIGroup(group); err != nil {
			return err
		}
	}
	return nil
}

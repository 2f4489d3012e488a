package serve

import (
	"fmt"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
)

// newScheme knows the Kubernetes kinds that are served without a CRD. The
// generic store wants an internal version to convert to; the same Go types are
// registered as that too, so nothing is ever converted.
func newScheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, k := range builtins {
		gv := k.version
		s.AddKnownTypes(gv, k.newObject(), k.newList())
		s.AddKnownTypes(schema.GroupVersion{Group: gv.Group, Version: runtime.APIVersionInternal}, k.newObject(), k.newList())
		if k.fields != nil {
			gvk, _, err := s.ObjectKinds(k.newObject())
			utilruntime.Must(err)
			utilruntime.Must(s.AddFieldLabelConversionFunc(gv.WithKind(gvk[0].Kind), selectable(k.fields)))
		}
	}
	for _, gv := range []schema.GroupVersion{corev1.SchemeGroupVersion, discoveryv1.SchemeGroupVersion, coordinationv1.SchemeGroupVersion} {
		metav1.AddToGroupVersion(s, gv)
		utilruntime.Must(s.SetVersionPriority(gv))
	}
	s.AddTypeDefaultingFunc(&corev1.Service{}, func(o any) { defaultService(o.(*corev1.Service)) })
	s.AddTypeDefaultingFunc(&corev1.Secret{}, func(o any) { defaultSecret(o.(*corev1.Secret)) })
	s.AddTypeDefaultingFunc(&discoveryv1.EndpointSlice{}, func(o any) { defaultEndpointSlice(o.(*discoveryv1.EndpointSlice)) })
	return s
}

// selectable lets clients select by the metadata of an object and by the
// fields that its kind names.
func selectable(attrs func(runtime.Object) map[string]string) runtime.FieldLabelConversionFunc {
	return func(label, value string) (string, string, error) {
		if label == "metadata.name" || label == "metadata.namespace" {
			return label, value, nil
		}
		if _, ok := attrs(nil)[label]; ok {
			return label, value, nil
		}
		return "", "", fmt.Errorf("%q is not a known field selector", label)
	}
}

// storageCodec writes built-in kinds to etcd as protobuf.
func storageCodec(s *runtime.Scheme, codecs serializer.CodecFactory) runtime.Codec {
	versions := schema.GroupVersions(s.PrioritizedVersionsAllGroups())
	return codecs.CodecForVersions(protobuf.NewSerializer(s, s), codecs.UniversalDeserializer(), versions, runtime.InternalGroupVersioner)
}

package serve

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// What Kubernetes completes and checks in its built-in kinds, as far as the
// mesh reads them. The full rules are in no library module.

// contentFinalizer keeps a deleted namespace until its contents are gone.
const contentFinalizer = "weft.dev/namespace-content"

func prepareNamespace(obj, old runtime.Object) {
	ns := obj.(*corev1.Namespace)
	if ns.Labels == nil {
		ns.Labels = map[string]string{}
	}
	ns.Labels[corev1.LabelMetadataName] = ns.Name
	if old == nil {
		ns.Finalizers = append(ns.Finalizers, contentFinalizer)
	}
	ns.Status.Phase = corev1.NamespaceActive
	if ns.DeletionTimestamp != nil {
		ns.Status.Phase = corev1.NamespaceTerminating
	}
}

func validateNamespace(obj, _ runtime.Object) field.ErrorList {
	var errs field.ErrorList
	name := obj.(*corev1.Namespace).Name
	for _, fault := range validation.IsDNS1123Label(name) {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), name, fault))
	}
	return errs
}

func defaultService(s *corev1.Service) {
	s.Spec.Type = cmp.Or(s.Spec.Type, corev1.ServiceTypeClusterIP)
	s.Spec.SessionAffinity = cmp.Or(s.Spec.SessionAffinity, corev1.ServiceAffinityNone)
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		p.Protocol = cmp.Or(p.Protocol, corev1.ProtocolTCP)
		if p.TargetPort == (intstr.IntOrString{}) || p.TargetPort == intstr.FromString("") {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
}

// prepareService counts the changes of the spec.
func prepareService(obj, old runtime.Object) {
	s := obj.(*corev1.Service)
	if old == nil {
		s.Generation = 1
		return
	}
	was := old.(*corev1.Service)
	s.Generation = was.Generation
	if !equality.Semantic.DeepEqual(s.Spec, was.Spec) {
		s.Generation++
	}
}

func validateService(obj, _ runtime.Object) field.ErrorList {
	s, spec := obj.(*corev1.Service), field.NewPath("spec")
	var errs field.ErrorList
	for _, fault := range validation.IsDNS1035Label(s.Name) {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), s.Name, fault))
	}
	switch s.Spec.Type {
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer:
		if len(s.Spec.Ports) == 0 && s.Spec.ClusterIP != corev1.ClusterIPNone {
			errs = append(errs, field.Required(spec.Child("ports"), "a service that is not headless needs a port"))
		}
	case corev1.ServiceTypeExternalName:
		if s.Spec.ExternalName == "" {
			errs = append(errs, field.Required(spec.Child("externalName"), "the type is ExternalName"))
		}
	default:
		errs = append(errs, field.NotSupported(spec.Child("type"), s.Spec.Type, []corev1.ServiceType{
			corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort, corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeExternalName}))
	}
	return append(errs, validatePorts(s.Spec.Ports, spec.Child("ports"))...)
}

func validatePorts(ports []corev1.ServicePort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	names, numbers := map[string]bool{}, map[string]bool{}
	for i, p := range ports {
		at := path.Index(i)
		for _, fault := range validation.IsValidPortNum(int(p.Port)) {
			errs = append(errs, field.Invalid(at.Child("port"), p.Port, fault))
		}
		if p.Name == "" && len(ports) > 1 {
			errs = append(errs, field.Required(at.Child("name"), "the service has several ports"))
		}
		if names[p.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), p.Name))
		}
		number := fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if numbers[number] {
			errs = append(errs, field.Duplicate(at.Child("port"), number))
		}
		names[p.Name], numbers[number] = true, true
		errs = append(errs, validateProtocol(p.Protocol, at.Child("protocol"))...)
	}
	return errs
}

func validateProtocol(p corev1.Protocol, path *field.Path) field.ErrorList {
	switch p {
	case corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP:
		return nil
	}
	return field.ErrorList{field.NotSupported(path, p, []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP})}
}

func defaultSecret(s *corev1.Secret) { s.Type = cmp.Or(s.Type, corev1.SecretTypeOpaque) }

// prepareSecret moves what was written as text to where it is read as bytes.
func prepareSecret(obj, _ runtime.Object) {
	s := obj.(*corev1.Secret)
	if s.Data == nil && len(s.StringData) > 0 {
		s.Data = map[string][]byte{}
	}
	for k, v := range s.StringData {
		s.Data[k] = []byte(v)
	}
	s.StringData = nil
}

func validateSecret(obj, old runtime.Object) field.ErrorList {
	s := obj.(*corev1.Secret)
	errs := validateData(keys(s.Data), size(s.Data))
	if s.Type == corev1.SecretTypeTLS {
		for _, k := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
			if _, ok := s.Data[k]; !ok {
				errs = append(errs, field.Required(field.NewPath("data").Key(k), "the type is "+string(s.Type)))
			}
		}
	}
	if old == nil {
		return errs
	}
	was := old.(*corev1.Secret)
	if s.Type != was.Type {
		errs = append(errs, field.Invalid(field.NewPath("type"), s.Type, "cannot be changed"))
	}
	if was.Immutable != nil && *was.Immutable && !equality.Semantic.DeepEqual(s.Data, was.Data) {
		errs = append(errs, field.Forbidden(field.NewPath("data"), "the secret is immutable"))
	}
	return errs
}

func validateConfigMap(obj, old runtime.Object) field.ErrorList {
	c := obj.(*corev1.ConfigMap)
	errs := validateData(append(keys(c.Data), keys(c.BinaryData)...), size(c.Data)+size(c.BinaryData))
	if old == nil {
		return errs
	}
	was := old.(*corev1.ConfigMap)
	same := equality.Semantic.DeepEqual(c.Data, was.Data) && equality.Semantic.DeepEqual(c.BinaryData, was.BinaryData)
	if was.Immutable != nil && *was.Immutable && !same {
		errs = append(errs, field.Forbidden(field.NewPath("data"), "the config map is immutable"))
	}
	return errs
}

func validateData(keys []string, size int) field.ErrorList {
	var errs field.ErrorList
	for _, k := range keys {
		for _, fault := range validation.IsConfigMapKey(k) {
			errs = append(errs, field.Invalid(field.NewPath("data").Key(k), k, fault))
		}
	}
	if size > corev1.MaxSecretSize {
		errs = append(errs, field.TooLong(field.NewPath("data"), "", corev1.MaxSecretSize))
	}
	return errs
}

func keys[V any](m map[string]V) []string {
	all := make([]string, 0, len(m))
	for k := range m {
		all = append(all, k)
	}
	return all
}

func size[V string | []byte](m map[string]V) int {
	n := 0
	for _, v := range m {
		n += len(v)
	}
	return n
}

func defaultEndpointSlice(s *discoveryv1.EndpointSlice) {
	tcp, unnamed := corev1.ProtocolTCP, ""
	for i := range s.Ports {
		p := &s.Ports[i]
		p.Protocol, p.Name = cmp.Or(p.Protocol, &tcp), cmp.Or(p.Name, &unnamed)
	}
}

func prepareEndpointSlice(obj, old runtime.Object) {
	s := obj.(*discoveryv1.EndpointSlice)
	if old == nil {
		s.Generation = 1
		return
	}
	was := old.(*discoveryv1.EndpointSlice)
	s.Generation = was.Generation
	if !equality.Semantic.DeepEqual(s.Endpoints, was.Endpoints) || !equality.Semantic.DeepEqual(s.Ports, was.Ports) {
		s.Generation++
	}
}

// maxEndpoints is Kubernetes' limit for one slice.
const maxEndpoints = 1000

func validateEndpointSlice(obj, old runtime.Object) field.ErrorList {
	s := obj.(*discoveryv1.EndpointSlice)
	var errs field.ErrorList
	switch s.AddressType {
	case discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN:
	default:
		errs = append(errs, field.NotSupported(field.NewPath("addressType"), s.AddressType, []discoveryv1.AddressType{
			discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN}))
	}
	if old != nil && s.AddressType != old.(*discoveryv1.EndpointSlice).AddressType {
		errs = append(errs, field.Invalid(field.NewPath("addressType"), s.AddressType, "cannot be changed"))
	}
	if len(s.Endpoints) > maxEndpoints {
		errs = append(errs, field.TooMany(field.NewPath("endpoints"), len(s.Endpoints), maxEndpoints))
	}
	for i, e := range s.Endpoints {
		if len(e.Addresses) == 0 {
			errs = append(errs, field.Required(field.NewPath("endpoints").Index(i).Child("addresses"), "an endpoint has an address"))
		}
	}
	return errs
}

func secretFields(obj runtime.Object) map[string]string {
	s, ok := obj.(*corev1.Secret)
	if !ok {
		s = &corev1.Secret{}
	}
	return map[string]string{"type": string(s.Type)}
}

func eventFields(obj runtime.Object) map[string]string {
	e, ok := obj.(*corev1.Event)
	if !ok {
		e = &corev1.Event{}
	}
	return map[string]string{
		"involvedObject.kind":            e.InvolvedObject.Kind,
		"involvedObject.namespace":       e.InvolvedObject.Namespace,
		"involvedObject.name":            e.InvolvedObject.Name,
		"involvedObject.uid":             string(e.InvolvedObject.UID),
		"involvedObject.apiVersion":      e.InvolvedObject.APIVersion,
		"involvedObject.resourceVersion": e.InvolvedObject.ResourceVersion,
		"involvedObject.fieldPath":       e.InvolvedObject.FieldPath,
		"reason":                         e.Reason,
		"reportingComponent":             e.ReportingController,
		"source":                         cmp.Or(e.Source.Component, e.ReportingController),
		"type":                           e.Type,
	}
}

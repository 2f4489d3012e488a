package serve

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	crdserver "k8s.io/apiextensions-apiserver/pkg/apiserver"
	crdopenapi "k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle"
	"k8s.io/apiserver/pkg/authentication/request/x509"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	genericfilters "k8s.io/apiserver/pkg/endpoints/filters"
	openapinamer "k8s.io/apiserver/pkg/endpoints/openapi"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	serveroptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/util/compatibility"
	"k8s.io/apiserver/pkg/util/notfoundhandler"
	"k8s.io/apiserver/pkg/util/webhook"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	basecompatibility "k8s.io/component-base/compatibility"
	"k8s.io/component-base/tracing"
	"k8s.io/kube-openapi/pkg/common"

	crdv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"weft.dev/store/serve/openapi"
)

// build puts the server together. There is one server, the one for CRDs, and
// the built-in kinds are installed into it: so its own controllers merge their
// discovery and OpenAPI documents.
func (s *Server) build(listener net.Listener) error {
	scheme := newScheme()
	codecs := serializer.NewCodecFactory(scheme)
	cfg := genericapiserver.NewRecommendedConfig(crdserver.Codecs)
	cfg.EffectiveVersion = servedVersion{compatibility.DefaultBuildEffectiveVersion()}
	setLimits(&cfg.Config)
	setOpenAPI(&cfg.Config)
	if err := s.setSecurity(&cfg.Config, listener); err != nil {
		return err
	}
	if err := setAdmission(cfg, s.options); err != nil {
		return err
	}
	cfg.MergedResourceConfig = crdserver.DefaultAPIResourceConfigSource()
	crds := s.etcdOptions(crdserver.Codecs.LegacyCodec(crdv1.SchemeGroupVersion))
	if err := crds.ApplyTo(&cfg.Config); err != nil {
		return err
	}
	custom := s.etcdOptions(runtime.NewCodec(unstructured.UnstructuredJSONScheme, unstructured.UnstructuredJSONScheme))
	config := crdserver.Config{
		GenericConfig: cfg,
		ExtraConfig: crdserver.ExtraConfig{
			CRDRESTOptionsGetter: cachedOnce{restOptions(custom, cfg)},
			MasterCount:          1,
			ServiceResolver:      webhook.NewDefaultServiceResolver(),
			AuthResolverWrapper: webhook.NewDefaultAuthenticationInfoResolverWrapper(nil, nil, cfg.LoopbackClientConfig,
				tracing.NewNoopTracerProvider()),
		},
	}
	completed := config.Complete()
	completed.GenericConfig.EnableDiscovery = true // Complete turns it off, counting on an aggregator
	// Until all CRDs are known, "no such kind" is "ask again": watchers would take it for "no objects".
	unknown := notfoundhandler.New(crdserver.Codecs, genericfilters.NoMuxAndDiscoveryIncompleteKey)
	api, err := completed.New(genericapiserver.NewEmptyDelegateWithCustomHandler(unknown))
	if err != nil {
		return err
	}
	builtin := s.etcdOptions(storageCodec(scheme, codecs))
	if err := installBuiltins(api.GenericAPIServer, scheme, codecs, restOptions(builtin, cfg)); err != nil {
		return err
	}
	if s.options.Extra != nil {
		api.GenericAPIServer.Handler.NonGoRestfulMux.HandlePrefix(extraPath, s.options.Extra)
	}
	s.api, s.config = api, cfg.LoopbackClientConfig
	if err := s.addGroupDiscovery(); err != nil {
		return err
	}
	s.namespaces, err = newNamespaceController(s.config, cfg.SharedInformerFactory, s.options.Log)
	return err
}

// servedVersion is the version of Kubernetes whose API this is, in the form that
// clients parse. The libraries know only its first two numbers.
type servedVersion struct {
	basecompatibility.EffectiveVersion
}

func (v servedVersion) Info() *version.Info {
	info := v.EffectiveVersion.Info()
	info.GitVersion = fmt.Sprintf("v%s.%s.0+weft", info.Major, info.Minor)
	return info
}

func setLimits(cfg *genericapiserver.Config) {
	cfg.MaxRequestBodyBytes = maxBody
	cfg.JSONPatchMaxCopyBytes = maxBody
	cfg.MaxRequestsInFlight = maxReads
	cfg.MaxMutatingRequestsInFlight = maxWrites
	cfg.RequestTimeout = requestTimeout
	cfg.ShutdownWatchTerminationGracePeriod = watchGrace
	cfg.EnableProfiling = false
	watches := cfg.LongRunningFunc
	cfg.LongRunningFunc = func(r *http.Request, info *apirequest.RequestInfo) bool {
		extra := strings.HasPrefix(r.URL.Path, extraPath) && r.URL.Query().Get("watch") == "true"
		return extra || watches(r, info)
	}
}

func setOpenAPI(cfg *genericapiserver.Config) {
	definitions := func(ref common.ReferenceCallback) map[string]common.OpenAPIDefinition {
		all := crdopenapi.GetOpenAPIDefinitions(ref)
		for name, d := range openapi.GetOpenAPIDefinitions(ref) {
			all[name] = d
		}
		return all
	}
	// client-go's scheme: this server's own one has an internal version of every kind, which clients must not see.
	namer := openapinamer.NewDefinitionNamer(crdserver.Scheme, clientgoscheme.Scheme)
	cfg.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(definitions, namer)
	cfg.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(definitions, namer)
	cfg.OpenAPIConfig.Info.Title, cfg.OpenAPIV3Config.Info.Title = "weft", "weft"
}

// setSecurity lets in who has a client certificate of the directory's
// authority, and lets the administrators' group do everything, and people what they may.
func (s *Server) setSecurity(cfg *genericapiserver.Config, listener net.Listener) error {
	host, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	s.url = "https://" + net.JoinHostPort(host, port)
	names := append([]string{"localhost", "127.0.0.1", "::1", host}, s.options.Names...)
	cert, key, err := s.ca.server(names, time.Now())
	if err != nil {
		return err
	}
	clients, err := dynamiccertificates.NewStaticCAContent("clients", s.ca.pem)
	if err != nil {
		return err
	}
	serving := serveroptions.NewSecureServingOptions()
	serving.Listener = listener
	serving.HTTP2MaxStreamsPerConnection = maxStreams
	if serving.ServerCert.GeneratedCert, err = dynamiccertificates.NewStaticCertKeyContent("server", cert, key); err != nil {
		return err
	}
	if err := serving.WithLoopback().ApplyToConfig(cfg); err != nil {
		return err
	}
	cfg.SecureServing.ClientCA = clients
	cfg.Authentication.Authenticator = x509.NewDynamic(clients.VerifyOptions, x509.CommonNameUserConversion)
	cfg.Authorization.Authorizer = authorizer.AuthorizerFunc(authorize)
	return nil
}

// setAdmission refuses objects in namespaces that do not exist or are being
// deleted, those that say that somebody else made them, and what rules refuse; what is let in is recorded.
func setAdmission(cfg *genericapiserver.RecommendedConfig, o Options) error {
	client, err := kubernetes.NewForConfig(cfg.LoopbackClientConfig)
	if err != nil {
		return err
	}
	cfg.ClientConfig = cfg.LoopbackClientConfig
	cfg.SharedInformerFactory = informers.NewSharedInformerFactory(client, 0)
	plugin, err := lifecycle.NewLifecycle(sets.New(defaultNamespace))
	if err != nil {
		return err
	}
	plugin.SetExternalKubeInformerFactory(cfg.SharedInformerFactory)
	plugin.SetExternalKubeClientSet(client)
	steps := []admission.Interface{plugin, voucher{}, ruler{o.Rules}}
	if o.Audit != nil {
		steps = append(steps, auditor{o.Audit})
	}
	cfg.AdmissionControl = admission.NewChainHandler(steps...)
	return nil
}

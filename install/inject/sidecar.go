package inject

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"weft.dev/model"
)

// What a pod gets.
const (
	proxyName    = "weft-proxy"
	redirectName = "weft-redirect"
	stateVolume  = "weft-state"
	tokenVolume  = "weft-token"
	tokenSeconds = 3600
)

// How long the application is held back, and how soon a proxy that does not
// serve any more is noticed.
const (
	startupTries    = 600 // one each second
	readinessPeriod = 15
	readinessTries  = 4
)

// sidecar is everything that is added to a pod.
type sidecar struct {
	redirect, proxy corev1.Container
	volumes         []any
	metrics         uint16      // where a Prometheus asks the proxy; 0: nowhere
	app             []Operation // how the application's containers change
}

func newSidecar(pod *corev1.Pod, o Options, roots string) (sidecar, error) {
	metrics, err := scraped(o, pod.Annotations)
	if err == nil {
		err = freeFor(pod, metrics)
	}
	if err != nil {
		return sidecar{}, err
	}
	flags, err := excludes(pod.Annotations, metrics)
	if err != nil {
		return sidecar{}, err
	}
	resources, err := sized(o.Resources, pod.Annotations)
	if err != nil {
		return sidecar{}, err
	}
	probes, err := rewritten(pod)
	if err != nil {
		return sidecar{}, err
	}
	text, err := probes.text()
	if err != nil {
		return sidecar{}, err
	}
	if err := probes.drained(pod); err != nil {
		return sidecar{}, err
	}
	proxy := proxyContainer(o, resources, environment(o, roots, text))
	scrapeAt(&proxy, metrics)
	return sidecar{
		redirect: redirectContainer(o, flags),
		proxy:    proxy,
		metrics:  metrics,
		volumes:  volumes(),
		app:      probes.operations,
	}, nil
}

func redirectContainer(o Options, flags []string) corev1.Container {
	security := restricted()
	root := int64(0) // another user's process would not get the capability
	security.RunAsUser, security.RunAsGroup, security.RunAsNonRoot = &root, &root, new(bool)
	security.Capabilities.Add = []corev1.Capability{"NET_ADMIN"}
	if o.IPTables {
		security.Capabilities.Add = append(security.Capabilities.Add, "NET_RAW") // it speaks to the kernel by a raw socket
	}
	return corev1.Container{
		Name: redirectName, Image: o.Image, ImagePullPolicy: o.PullPolicy,
		Args:      append([]string{"redirect"}, flags...), // the image starts weft-agent
		Resources: o.Resources, SecurityContext: security,
	}
}

func proxyContainer(o Options, resources corev1.ResourceRequirements, env []corev1.EnvVar) corev1.Container {
	always := corev1.ContainerRestartPolicyAlways
	security := restricted()
	user, yes := int64(model.ProxyUser), true
	security.RunAsUser, security.RunAsGroup, security.RunAsNonRoot, security.ReadOnlyRootFilesystem = &user, &user, &yes, &yes
	ready := corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: model.ReadyPath, Port: intstr.FromInt32(model.AgentReady)}}
	return corev1.Container{
		Name: proxyName, Image: o.Image, ImagePullPolicy: o.PullPolicy,
		Args: []string{"sidecar"}, Env: env,
		RestartPolicy: &always, Resources: resources, SecurityContext: security,
		StartupProbe:   &corev1.Probe{ProbeHandler: ready, PeriodSeconds: 1, TimeoutSeconds: 1, FailureThreshold: startupTries},
		ReadinessProbe: &corev1.Probe{ProbeHandler: ready, PeriodSeconds: readinessPeriod, TimeoutSeconds: 1, FailureThreshold: readinessTries},
		VolumeMounts: []corev1.VolumeMount{
			{Name: stateVolume, MountPath: model.SidecarDir},
			{Name: tokenVolume, MountPath: model.TokenDir, ReadOnly: true},
		},
	}
}

// restricted is a container that may do nothing beyond its own files.
func restricted() *corev1.SecurityContext {
	no, yes := false, true
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes, Privileged: &no,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

func environment(o Options, roots, probes string) []corev1.EnvVar {
	env := []corev1.EnvVar{
		field(model.EnvPod, "metadata.name"), field(model.EnvNamespace, "metadata.namespace"),
		field(model.EnvAddress, "status.podIP"), field(model.EnvServiceAccount, "spec.serviceAccountName"),
		{Name: model.EnvServer, Value: o.Server}, {Name: model.EnvRoots, Value: roots},
	}
	if probes != "" {
		env = append(env, corev1.EnvVar{Name: model.EnvProbes, Value: probes})
	}
	return env
}

func field(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
}

func volumes() []any {
	seconds := int64(tokenSeconds)
	return []any{
		corev1.Volume{Name: stateVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		corev1.Volume{Name: tokenVolume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: model.TokenAudience, ExpirationSeconds: &seconds, Path: model.TokenFile,
			}}},
		}}},
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"weft.dev/agent"
	"weft.dev/model"
)

// What injection tells the agent of its pod.
const (
	envPod            = "POD_NAME"
	envNamespace      = "POD_NAMESPACE"
	envAddress        = "POD_IP"
	envServiceAccount = "SERVICE_ACCOUNT"
	envServer         = "WEFT_SERVER"
	envRoots          = "WEFT_ROOTS"  // PEM
	envProbes         = "WEFT_PROBES" // JSON; may be empty
	defaultToken      = "/var/run/secrets/weft/token"
	defaultPodDir     = "/var/lib/weft"
)

// sidecar runs beside the containers of a pod, or as a pod that is a gateway.
func sidecar(ctx context.Context, args []string) (int, error) {
	o := agent.Options{Pod: &agent.Pod{Roots: []byte(os.Getenv(envRoots))}}
	r := &o.Registration
	f := newFlags(`Run the proxy of a Kubernetes pod. Injection starts it, and tells it of the pod by $POD_NAME, $POD_NAMESPACE, $POD_IP,
$SERVICE_ACCOUNT, and of the server by $WEFT_SERVER and $WEFT_ROOTS. It ends on SIGTERM, after --drain.`,
		"  weft-agent sidecar\n  weft-agent sidecar --gateway public --drain 20s")
	f.StringVar(&o.Pod.TokenFile, "token", defaultToken, "file of the ServiceAccount token for the audience weft")
	f.StringVar(&o.Dir, "dir", defaultPodDir, "folder for what survives a restart of the container")
	f.StringVar(&o.Server, "server", os.Getenv(envServer), "host:port that agents connect to; default $WEFT_SERVER")
	f.StringVar(&r.Gateway, "gateway", "", "the pod is a gateway of this name")
	f.StringVar(&o.Envoy, "envoy", os.Getenv("WEFT_ENVOY"), "path of a binary to use instead of the pinned one; default $WEFT_ENVOY")
	f.IntVar(&o.Concurrency, "concurrency", 0, "threads of Envoy; default: the CPU quota, rounded up, and 1 where there is none")
	f.Uint64Var(&o.Heap, "heap", 0, "memory of Envoy, bytes; default 512 MiB")
	f.DurationVar(&o.Drain, "drain", agent.DefaultDrain, "how long the proxy still answers after it was asked to stop")
	verbose := f.BoolP("verbose", "v", false, "log what is done, not only what is wrong")
	if err := parse(f, args, false); err != nil {
		return exitUsage, err
	}
	r.Namespace, r.Name, r.Address, r.ServiceAccount = os.Getenv(envNamespace), os.Getenv(envPod), os.Getenv(envAddress), os.Getenv(envServiceAccount)
	for name, value := range map[string]string{envPod: r.Name, envNamespace: r.Namespace, envServiceAccount: r.ServiceAccount, envServer: o.Server, envRoots: string(o.Pod.Roots)} {
		if value == "" {
			return exitUsage, fmt.Errorf("$%s is not set: injection sets it; outside of Kubernetes use weft run", name)
		}
	}
	if text := os.Getenv(envProbes); text != "" {
		if err := json.Unmarshal([]byte(text), &o.Pod.Probes); err != nil {
			return exitUsage, fmt.Errorf("$%s: %w", envProbes, err)
		}
	}
	if !model.Callable(r.Address) {
		return exitUsage, fmt.Errorf("$%s %q is not the address of a pod: injection sets it", envAddress, r.Address)
	}
	o.Log = newLog(os.Stderr, *verbose)
	return agent.Run(ctx, o)
}

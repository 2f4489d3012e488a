package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"

	"weft.dev/agent"
	"weft.dev/model"
)

// sidecar runs beside the containers of a pod, or as a pod that is a gateway.
func sidecar(ctx context.Context, args []string) (int, error) {
	o := agent.Options{Pod: &agent.Pod{Roots: []byte(os.Getenv(model.EnvRoots))}}
	r := &o.Registration
	f := newFlags(`Run the proxy of a Kubernetes pod. Injection starts it, and tells it of the pod by $POD_NAME, $POD_NAMESPACE, $POD_IP,
$SERVICE_ACCOUNT, and of the server by $WEFT_SERVER and $WEFT_ROOTS. It ends on SIGTERM, after --drain.`,
		"  weft-agent sidecar\n  weft-agent sidecar --gateway public --drain 20s")
	f.StringVar(&o.Pod.TokenFile, "token", path.Join(model.TokenDir, model.TokenFile), "file of the ServiceAccount token for the audience weft")
	f.StringVar(&o.Dir, "dir", model.SidecarDir, "folder for what survives a restart of the container")
	f.StringVar(&o.Server, "server", os.Getenv(model.EnvServer), "host:port that agents connect to; default $WEFT_SERVER")
	f.StringVar(&r.Gateway, "gateway", "", "the pod is a gateway of this name")
	f.StringVar(&o.Envoy, "envoy", os.Getenv("WEFT_ENVOY"), "path of a binary to use instead of the pinned one; default $WEFT_ENVOY")
	f.IntVar(&o.Concurrency, "concurrency", 0, "threads of Envoy; default: the CPU quota, rounded up, and 1 where there is none")
	f.Uint64Var(&o.Heap, "heap", 0, "memory of Envoy, bytes; default 512 MiB")
	f.StringVar(&o.Metrics, "metrics", "", "`HOST:PORT` at which a Prometheus reads what the proxy counted, to whoever reaches it; default: nowhere")
	f.DurationVar(&o.Drain, "drain", agent.DefaultDrain, "how long the proxy still answers after it was asked to stop")
	verbose := f.BoolP("verbose", "v", false, "log what is done, not only what is wrong")
	if err := parse(f, args, false); err != nil {
		return exitUsage, err
	}
	r.Namespace, r.Name, r.Address, r.ServiceAccount = os.Getenv(model.EnvNamespace), os.Getenv(model.EnvPod), os.Getenv(model.EnvAddress), os.Getenv(model.EnvServiceAccount)
	for name, value := range map[string]string{model.EnvPod: r.Name, model.EnvNamespace: r.Namespace, model.EnvServiceAccount: r.ServiceAccount, model.EnvServer: o.Server, model.EnvRoots: string(o.Pod.Roots)} {
		if value == "" {
			return exitUsage, fmt.Errorf("$%s is not set: injection sets it; outside of Kubernetes use weft run", name)
		}
	}
	if text := os.Getenv(model.EnvProbes); text != "" {
		if err := json.Unmarshal([]byte(text), &o.Pod.Probes); err != nil {
			return exitUsage, fmt.Errorf("$%s: %w", model.EnvProbes, err)
		}
	}
	if !model.Callable(r.Address) {
		return exitUsage, fmt.Errorf("$%s %q is not the address of a pod: injection sets it", model.EnvAddress, r.Address)
	}
	o.Log = newLog(os.Stderr, *verbose)
	return agent.Run(ctx, o)
}

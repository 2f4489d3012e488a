package kube

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"weft.dev/test/process"
)

// web is a small application of three pods.
const web = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 9080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, version: v1}}
    spec:
      containers:
      - name: web
        image: "shop:%[1]s"
        args: [bookinfo-details, --host, 0.0.0.0, --port, "9080"]
        ports: [{containerPort: 9080}]
        readinessProbe: {httpGet: {path: /details/0, port: 9080}, periodSeconds: 1}
`

const webURL = "http://web/details/0"

// meshed is a namespace of the mesh in which web runs.
func meshed(t *testing.T, name string) string {
	t.Helper()
	Mesh(t)
	namespace := Namespace(t, name, Injected)
	Apply(t, namespace, fmt.Sprintf(web, os.Getenv("IMAGE_TAG")))
	Rollout(t, namespace)
	return namespace
}

// TestRollingUpdate: pods come and go while others call them.
func TestRollingUpdate(t *testing.T) {
	namespace := meshed(t, "rolling")
	UnderLoad(t, namespace, webURL, func() {
		Kubectl(t, "rollout", "restart", "deployment/web", "-n", namespace)
		Rollout(t, namespace)
	})
}

// TestAPIServerRestarts: traffic needs no API server, and what changes after it is back arrives.
func TestAPIServerRestarts(t *testing.T) {
	namespace := meshed(t, "apiserver")
	UnderLoad(t, namespace, webURL, func() {
		if err := Restart("kube-apiserver"); err != nil {
			t.Fatal(err)
		}
		Kubectl(t, "rollout", "restart", "deployment/web", "-n", namespace)
		Rollout(t, namespace)
	})
}

// TestControlPlaneKilled: all of weft's pods die at once, just when every pod of an application is replaced; once they
// are back the mesh follows changes.
func TestControlPlaneKilled(t *testing.T) {
	namespace := meshed(t, "killed")
	UnderLoad(t, namespace, webURL, func() {
		Kubectl(t, "delete", "pods", "--all", "-n", "weft-system", "--force", "--grace-period=0", "--wait=false")
		Kubectl(t, "rollout", "restart", "deployment/web", "-n", namespace)
		Rollout(t, namespace)
		Rollout(t, "weft-system")
		Kubectl(t, "rollout", "restart", "deployment/web", "-n", namespace)
		Rollout(t, namespace)
	})
}

// edge is a gateway before web.
const edge = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: front, annotations: {weft.dev/replicas: "2"}}
spec:
  gatewayClassName: weft
  listeners: [{name: http, port: 80, protocol: HTTP}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: front}]
  rules: [{backendRefs: [{name: web, port: 80}]}]
`

// TestGatewayUpgrade: the pods of a gateway are replaced while it is called from outside of the mesh.
func TestGatewayUpgrade(t *testing.T) {
	Mesh(t)
	namespace := Namespace(t, "gateway")
	Apply(t, namespace, fmt.Sprintf(web, os.Getenv("IMAGE_TAG"))+"---"+edge)
	Kubectl(t, "wait", "gateways.gateway.networking.k8s.io", "front", "-n", namespace, "--for=condition=Programmed", "--timeout", Patience.String())
	Rollout(t, namespace)
	UnderLoad(t, namespace, "http://front-weft/details/0", func() {
		Kubectl(t, "rollout", "restart", "deployment/front-weft", "-n", namespace)
		Rollout(t, namespace)
	})
}

// stateful is an application whose pods are called by their own names.
const stateful = `
apiVersion: v1
kind: Service
metadata: {name: db}
spec:
  clusterIP: None
  selector: {app: db}
  ports: [{name: http, port: 9080}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: db
        image: "shop:%[1]s"
        args: [bookinfo-details, --host, 0.0.0.0, --port, "9080"]
        env: [{name: WEFT_VERSION, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
        ports: [{containerPort: 9080}]
        readinessProbe: {httpGet: {path: /details/0, port: 9080}, periodSeconds: 1}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: client}
spec:
  selector: {matchLabels: {app: client}}
  template:
    metadata: {labels: {app: client}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: client, image: "nettools:v1", command: [sleep, infinity]}]
`

// TestStatefulSet: a headless Service leads to the pod that is named, and to any pod where none is.
func TestStatefulSet(t *testing.T) {
	Mesh(t)
	namespace := Namespace(t, "stateful", Injected)
	Apply(t, namespace, fmt.Sprintf(stateful, os.Getenv("IMAGE_TAG")))
	Rollout(t, namespace)
	for host, wanted := range map[string]string{"db-0.db": `"db-0"`, "db-1.db": `"db-1"`, "db": `"db-`} {
		err := process.Until(Patience, func() error {
			said, err := Try("", "exec", "deployment/client", "-c", "client", "-n", namespace, "--", "curl", "-sS", "-m", "5", "http://"+host+":9080/details/0")
			if err == nil && !strings.Contains(said, wanted) {
				err = fmt.Errorf("http://%s:9080 said %s, want %s", host, said, wanted)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

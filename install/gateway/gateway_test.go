package gateway_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/tools/txtar"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"weft.dev/flow"
	"weft.dev/install/gateway"
	"weft.dev/install/inject"
	"weft.dev/model"
)

var front = model.GatewayPods{Namespace: "shop", Name: "front", Min: 2, Max: 2, Annotations: map[string]string{"weft.dev/proxy-memory": "64Mi"}}

func podOf(g model.GatewayPods) (corev1.PodSpec, error) {
	o := inject.Options{Image: "weft-proxy:test", Revision: "default", Server: "weft.weft-system.svc:7444"}
	return inject.GatewayPod(o, "ROOTS", g.Name, g.Annotations)
}

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// TestGolden: a gateway, and all that the rest of Kubernetes, and the server, know its pods by.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := objects(t, archive.Files[0].Data)
			if *update {
				archive.Files = []txtar.File{archive.Files[0], {Name: "objects", Data: got}}
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if len(archive.Files) < 2 || !bytes.Equal(archive.Files[1].Data, got) {
				t.Errorf("%s\ngot\n%s\n(-update rewrites)", archive.Comment, got)
			}
		})
	}
}

// objects are in the order in which they are applied.
func objects(t *testing.T, text []byte) []byte {
	t.Helper()
	var g model.GatewayPods
	if err := yaml.UnmarshalStrict(text, &g); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	labels := maps.Clone(g.Labels)
	all := gateway.Objects(g, corev1.PodSpec{})
	if !maps.Equal(g.Labels, labels) {
		t.Errorf("what is wanted is changed: its labels are %v", g.Labels)
	}
	for _, o := range all {
		body, err := yaml.Marshal(o.Body)
		if err != nil {
			t.Fatal(err)
		}
		what := "is applied"
		if o.Gone {
			what, body = "is removed", nil
		} else if o.Offered {
			what = "is offered"
		}
		fmt.Fprintf(&b, "# %s %s %s\n%s", o.Resource.GroupResource(), o.Body.(metav1.Object).GetName(), what, body)
	}
	return b.Bytes()
}

// A gateway's pod is a proxy and nothing else, which leaves when its callers have.
func TestPod(t *testing.T) {
	pod, err := podOf(front)
	if err != nil {
		t.Fatal(err)
	}
	if grace := *pod.TerminationGracePeriodSeconds; grace < 45 {
		t.Errorf("it is killed %d seconds after it was asked to leave", grace)
	}
	proxy := pod.Containers[0]
	if !slices.Contains(proxy.Args, "--gateway") || proxy.RestartPolicy != nil || proxy.Resources.Requests.Memory().String() != "64Mi" {
		t.Errorf("proxy %+v", proxy)
	}
}

// cluster counts, and fails at first.
type cluster struct {
	fails int
	done  map[string]int
}

func (c *cluster) Apply(_ context.Context, o gateway.Object) error {
	if c.fails > 0 {
		c.fails--
		return errors.New("not now")
	}
	c.done[o.Resource.Resource+" "+o.Body.(metav1.Object).GetName()]++
	return nil
}

func (c *cluster) Remove(_ context.Context, o gateway.Object) error {
	c.done["no "+o.Resource.Resource+" "+o.Body.(metav1.Object).GetName()]++
	return nil
}

// What is wanted is applied, also what was wanted before this server led, again
// what did not work, and from time to time, because somebody else may change it.
func TestController(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := flow.New(flow.Options{})
		wanted := flow.NewSource[model.GatewayPods](g, "wanted")
		c := &cluster{fails: 3, done: map[string]int{}}
		controller := gateway.New(wanted.Collection, c, podOf, slog.New(slog.NewTextHandler(t.Output(), nil)))
		commit := func(do func(*flow.Tx)) { g.Commit(do); synctest.Wait() }
		were := func(what string, front, back int) {
			t.Helper()
			synctest.Wait()
			for name, want := range map[string]int{"deployments front-weft": front, "no horizontalpodautoscalers front-weft": front, "deployments back-weft": back} {
				if c.done[name] != want {
					t.Errorf("%s: %d times %s, want %d", what, c.done[name], name, want)
				}
			}
		}
		lead := func() (stop func()) {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- controller.Run(ctx) }()
			return func() {
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		}
		commit(func(tx *flow.Tx) { wanted.Set(tx, front) })
		were("nobody leads", 0, 0)
		stop := lead()
		were("the cluster fails", 0, 0)
		time.Sleep(time.Minute)
		were("it works again", 1, 0)
		back := front
		back.Name = "back"
		commit(func(tx *flow.Tx) { wanted.Set(tx, back) })
		were("one more is wanted", 1, 1)
		time.Sleep(4 * time.Minute)
		were("some minutes later", 2, 2)
		commit(func(tx *flow.Tx) { wanted.Delete(tx, back.Key()) })
		time.Sleep(5 * time.Minute)
		were("it is not wanted any more", 3, 2)
		stop()
		stop = lead()
		were("it leads again", 4, 2)
		stop()
	})
}

// Who writes a Gateway has weft run a proxy in its own namespace, and says of the pod what a proxy may be told: no
// image, account, volume, host port or privilege, and no label by which others know proxies.
func TestAGatewaysAuthorRunsNoPodOfItsOwn(t *testing.T) {
	plain, err := podOf(front)
	if err != nil {
		t.Fatal(err)
	}
	hostile := front
	hostile.Labels = map[string]string{model.GatewayNameLabel: "other", model.ProxyLabel: "none", model.InjectLabel: "true", "app.kubernetes.io/managed-by": "evil"}
	hostile.Annotations = map[string]string{"weft.dev/proxy-memory": "64Mi"}
	for _, name := range []string{"proxy-image", "image", "service-account", "volumes", "privileged", "host-network", "args", "command", "namespace"} {
		hostile.Annotations["weft.dev/"+name] = "evil"
	}
	pod, err := podOf(hostile)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(plain, pod) {
		t.Errorf("the pod is\n%+v\nwant\n%+v", pod, plain)
	}
	for _, o := range gateway.Objects(hostile, pod) {
		meta, ok := o.Body.(metav1.Object)
		if ok && (meta.GetNamespace() != "shop" || !strings.HasPrefix(meta.GetName(), "front")) {
			t.Errorf("%s %s/%s is applied", o.Resource.Resource, meta.GetNamespace(), meta.GetName())
		}
		d, ok := o.Body.(*appsv1.Deployment)
		if !ok {
			continue
		}
		labels := d.Spec.Template.Labels
		if labels[model.GatewayNameLabel] != "front" || labels[model.ProxyLabel] != model.ProxySidecar || labels[model.InjectLabel] != "false" {
			t.Errorf("its pods have the labels %v", labels)
		}
		if d.Spec.Template.Spec.ServiceAccountName != "front-weft" {
			t.Errorf("its pods are %s", d.Spec.Template.Spec.ServiceAccountName)
		}
	}
}

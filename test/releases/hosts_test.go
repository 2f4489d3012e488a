package releases

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	hosted "weft.dev/release/provider/host"
	"weft.dev/store"
)

// TestReleasesOnHosts: the same on two machines whose operators let weft start the shop: one
// release by each strategy.
func TestReleasesOnHosts(t *testing.T) {
	w := newWorld(t)
	versions := store.For[v1alpha1.HostVersion](w.client, api.HostVersion)
	w.acts = onHosts{
		Provider:  hosted.New(hosted.Options{Versions: versions, Now: time.Now, Log: slog.New(slog.DiscardHandler)}),
		versions:  versions,
		workloads: store.For[v1alpha1.Workload](w.client, api.Workload),
	}
	w.runs = v1alpha1.Runs{Host: &v1alpha1.HostRuns{Command: []string{w.hands.shop}, Port: 9080}}
	w.machine("east", "21000-21499")
	w.machine("west", "21500-21999")
	w.release(len(strategies))
}

// onHosts has HostVersions changed as a stage of a run does, and sees what the mesh sees.
type onHosts struct {
	*hosted.Provider
	versions  store.Resource[v1alpha1.HostVersion]
	workloads store.Resource[v1alpha1.Workload]
}

func (o onHosts) Observe(ctx context.Context, t instances.Target) (map[string]instances.Seen, error) {
	all, err := o.versions.List(ctx, t.Namespace)
	if err != nil {
		return nil, err
	}
	workloads, err := o.workloads.List(ctx, t.Namespace)
	if err != nil {
		return nil, err
	}
	seen := map[string]instances.Seen{}
	for _, v := range all {
		if v.Spec.Application != t.Application || v.Spec.Deleted {
			continue
		}
		s := instances.Seen{Wanted: int(v.Spec.Replicas), Running: len(v.Spec.Instances)}
		for _, one := range workloads {
			if strings.HasPrefix(one.Name, v.Name+"-") && one.Status.Health == "Healthy" {
				s.Ready++
			}
		}
		seen[v.Spec.Version] = s
	}
	return seen, nil
}

// machine has a machine join, and weft start the shop there.
func (w *world) machine(name, ports string) {
	w.t.Helper()
	dir := filepath.Join(w.hands.dir, name)
	token, err := w.server.Token("", namespace)
	check(w.t, err)
	if out, err := w.server.Command("join", "--host", name, "--host-dir", dir, "--server", w.server.Mesh, "--token", token).CombinedOutput(); err != nil {
		w.t.Fatalf("join: %v: %s", err, out)
	}
	allow := filepath.Join(dir, "allow.yaml")
	check(w.t, os.WriteFile(allow, fmt.Appendf(nil, "ports: %s\napplications:\n- {name: %s/*, programs: [%s]}\n", ports, namespace, w.hands.dir), 0o600))
	cmd := w.server.Command("host", "--allow", allow, "--host-dir", dir, "--dir", filepath.Join(dir, "deployed"))
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	check(w.t, cmd.Start())
	w.t.Cleanup(func() { w.endMachine(cmd, dir) })
}

// endMachine ends what weft started, too.
func (w *world) endMachine(cmd *exec.Cmd, dir string) {
	check(w.t, cmd.Process.Kill())
	_ = cmd.Wait()
	locks, err := filepath.Glob(filepath.Join(dir, "deployed", "instances", "*", "agent", "lock"))
	check(w.t, err)
	for _, lock := range locks {
		text, _ := os.ReadFile(lock)
		if pid, err := strconv.Atoi(string(text)); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL) // its Envoy and application end with it
		}
	}
}

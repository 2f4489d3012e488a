// Command scale measures `weft serve --kube` beside a large cluster: 2,000
// Services and 20,000 pods, which the real controllers and kwok's fake nodes
// keep alive. `make bench-kube` gives it a cluster of its own. It prints what a pod
// costs and how long the end of one takes to reach its callers, and fails where a goal is missed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// podGoal in bytes of resident memory. It is no less than by what one process differs from the next, 10 MB by when the
	// collector runs; the goal of an endpoint, 300 B, TestMemoryOfPods and TestResidentMemoryOfPods of cmd/weft bound.
	podGoal      = 1 << 10
	podsTime     = 20 * time.Minute
	lookInterval = 5 * time.Second // each look lists all pods
)

func main() {
	binary := flag.String("weft", "bin/weft", "the server")
	s := shape{nodes: 20}
	flag.IntVar(&s.services, "services", 2000, "how many Services")
	flag.IntVar(&s.replicas, "replicas", 10, "pods of each")
	proxies := flag.Int("proxies", 500, "how many proxies connect")
	changes := flag.Int("changes", 50, "how many pods change, one after the other")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, *binary, s, *proxies, *changes)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary string, s shape, proxies, changes int) error {
	kubeconfig := os.Getenv("KUBECONFIG")
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	config.QPS = -1 // the server limits
	s.config = config
	if s.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	half, err := s.beside(ctx, s.replicas/2, binary, kubeconfig, func(*weft) error { return nil })
	if err != nil {
		return err
	}
	full, err := s.beside(ctx, s.replicas, binary, kubeconfig, func(w *weft) error { return s.withProxies(ctx, w, proxies, changes) })
	if err != nil {
		return err
	}
	fmt.Printf("weft beside %d services and %d pods: %d MiB\n", s.services, s.services*s.replicas, full>>20)
	each := (full - half) / (s.services * (s.replicas - s.replicas/2))
	fmt.Printf("memory of a pod: %d B, goal <= %d B\n", each, podGoal)
	if each > podGoal {
		return fmt.Errorf("a pod costs %d B, more than %d", each, podGoal)
	}
	return nil
}

// beside starts a weft beside a cluster with so many replicas, has use work with it, and returns the memory that it
// took before that, in bytes. Each is a new process: one that watched a cluster grow holds garbage, too.
func (s shape) beside(ctx context.Context, replicas int, binary, kubeconfig string, use func(*weft) error) (int, error) {
	if err := s.grow(ctx, replicas); err != nil {
		return 0, err
	}
	w, err := startWeft(binary, kubeconfig, s.config)
	if w != nil {
		defer w.stop()
	}
	if err != nil {
		return 0, err
	}
	memory, err := w.settled()
	if err != nil {
		return 0, err
	}
	return memory, use(w)
}

// grow makes nodes, services and replicas that are not there, and waits until all run.
func (s shape) grow(ctx context.Context, to int) error {
	start := time.Now()
	for _, step := range []func(context.Context) error{s.makeNodes, s.makeServices, func(ctx context.Context) error { return s.makePods(ctx, to) }} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	err := wait.PollUntilContextTimeout(ctx, lookInterval, podsTime, true, func(ctx context.Context) (bool, error) {
		ready, err := s.ready(ctx)
		fmt.Fprintf(os.Stderr, "%d of %d pods are ready after %v\n", ready, s.services*to, time.Since(start).Round(time.Second))
		return ready >= s.services*to, err
	})
	if err != nil {
		return fmt.Errorf("pods that kwok should run: %w", err)
	}
	return nil
}

func (s shape) withProxies(ctx context.Context, w *weft, proxies, changes int) error {
	ctx, cancel := context.WithCancel(ctx)
	f, err := s.connect(ctx, w, proxies)
	if f != nil {
		defer f.running.Wait()
	}
	defer cancel()
	if err != nil {
		return err
	}
	var took []time.Duration
	for i := range changes {
		d, err := f.change(ctx, i)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	fmt.Printf("a pod is deleted until a proxy has it: median %v, p99 %v of %d\n", percentile(took, 50), percentile(took, 99), changes)
	return nil
}

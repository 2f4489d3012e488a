package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"weft.dev/api"
	"weft.dev/flow"
	"weft.dev/source/kube"
	"weft.dev/translate"
)

// followedServer and followedPods are in the environment of a process that follows the pods of an API server.
const (
	followedServer = "WEFT_TEST_FOLLOWED_SERVER"
	followedPods   = "WEFT_TEST_FOLLOWED_PODS"
)

const (
	followedServices = 200
	// mostResidentOfPod is mostOfPod, and what tells one process from the next: when the collector runs decides on
	// some megabytes. A process that held all pods until the last was read kept 2.1 KB of each.
	mostResidentOfPod = 900
	followTime        = 5 * time.Minute
)

// weight is what a process weighs, in bytes.
type weight struct{ Resident, Heap, Live uint64 }

// A cluster of more pods costs a server what lives of them, and no room that they left in the heap when they were read.
func TestResidentMemoryOfPods(t *testing.T) {
	const few, many = 25 * followedServices, 100 * followedServices
	a, b := weightOf(t, few), weightOf(t, many)
	each := func(a, b uint64) int { return (int(b) - int(a)) / (many - few) }
	resident := each(a.Resident, b.Resident)
	t.Logf("%d B a pod: %d in the heap, %d live; %d pods: %+v, %d: %+v", resident, each(a.Heap, b.Heap), each(a.Live, b.Live), few, a, many, b)
	if resident > mostResidentOfPod {
		t.Errorf("a pod costs %d B of resident memory, want at most %d", resident, mostResidentOfPod)
	}
}

// weightOf is that of a new process which has read so many pods.
func weightOf(t *testing.T, pods int) (w weight) {
	server := httptest.NewServer(podServer{t, pods})
	defer server.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), followedServer+"="+server.URL, followedPods+"="+strconv.Itoa(pods))
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &w)
	}
	if err != nil {
		t.Fatalf("a process that follows %d pods: %v", pods, err)
	}
	return w
}

// followPods is the way of pods in a process of its own, which prints what it weighs with all of them.
func followPods(server string) error {
	want, err := strconv.Atoi(os.Getenv(followedPods))
	if err != nil {
		return err
	}
	paceCollector()
	graph := flow.New(flow.Options{})
	objects := flow.NewSource[api.Object](graph, "objects")
	pods, err := kube.New(&rest.Config{Host: server}, graph)
	if err != nil {
		return err
	}
	s := newStreet(graph, objects.Collection, streetOptions{Options: translate.Options{TrustDomain: "mesh.test", Pods: pods.Collection}}, nil)
	graph.Commit(func(tx *flow.Tx) {
		for i := range followedServices {
			objects.Set(tx, serviceOfPods(i))
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), followTime)
	defer cancel()
	go pods.Run(ctx) //nolint:errcheck // it ends with the process
	select {
	case <-pods.Synced():
	case <-ctx.Done():
		return fmt.Errorf("no pods after %v", followTime)
	}
	if n := len(s.workloads()); n != want {
		return fmt.Errorf("%d workloads of %d pods", n, want)
	}
	debug.FreeOSMemory() // as mesh.run does
	w, err := weigh()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(w)
}

// weigh leaves out the pages of the program's file.
func weigh() (w weight, err error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	w = weight{Heap: m.HeapInuse, Live: m.HeapAlloc}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return w, err
	}
	found := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return w, fmt.Errorf("no RssAnon in %q", status)
	}
	kib, err := strconv.ParseUint(string(found[1]), 10, 64)
	w.Resident = kib << 10
	return w, err
}

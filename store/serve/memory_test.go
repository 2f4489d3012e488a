package serve_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/store"
	"weft.dev/store/serve"
)

// A record of a release costs the server little more memory than its bytes in etcd's log, and
// those only for the last thousand writes: there are ever more of them.
func TestMemoryOfRecords(t *testing.T) {
	const some, most = 50, 4 // records; times its bytes
	client, err := store.NewClient(start(t, serve.Options{}).Config())
	if err != nil {
		t.Fatal(err)
	}
	releases, text := store.For[v1alpha1.Release](client, api.Release), strings.Repeat("x", 80)
	var events []v1alpha1.ReleaseEvent
	for i := range 100 {
		events = append(events, v1alpha1.ReleaseEvent{Time: metav1.NewMicroTime(time.Unix(int64(i), 0)), Action: "a", Text: text})
	}
	bytes := len(events) * (len(text) + 60)
	made := 0
	record := func() {
		for range some {
			made++
			rel, err := releases.Create(t.Context(), &v1alpha1.Release{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprint("r", made)}, Spec: v1alpha1.ReleaseSpec{Application: "reviews", Version: "v2"},
			})
			if err == nil {
				rel.Status.Events = events
				_, err = releases.UpdateStatus(t.Context(), rel)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	record() // what the first ones need once
	before := live()
	record()
	record()
	each := int(live()-before) / (2 * some)
	t.Logf("%d B a record of %d B", each, bytes)
	if each > most*bytes {
		t.Errorf("a record of %d B takes %d B of memory, want at most %d times its bytes", bytes, each, most)
	}
}

func live() int64 {
	runtime.GC()
	runtime.GC() // what finalizers let go of
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc)
}

package runner

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/loop"
	"weft.dev/release/pipeline"
)

func old(name string, age time.Duration, p v1alpha1.RunPhase) *v1alpha1.PipelineRun {
	o := &v1alpha1.PipelineRun{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)}}
	o.CreationTimestamp = metav1.NewTime(time.Unix(1e9, 0).Add(-age))
	o.Spec.Pipeline, o.Status.Phase = "p", p
	return o
}

// TestLateNews: changes are heard late and in pieces, and still no more runs begin than may.
func TestLateNews(t *testing.T) {
	all := turns{views: map[loop.Key]*view{}}
	want := func(name string, turn pipeline.Turn) {
		t.Helper()
		if got, why := all.admit(loop.Key{Namespace: "shop", Name: name}, v1alpha1.Concurrency{}); got != turn {
			t.Errorf("%s: %v: %s", name, got, why)
		}
	}
	all.see(old("younger", time.Minute, ""))
	want("younger", pipeline.Begin)
	all.see(old("older", time.Hour, ""))
	want("older", pipeline.Await) // the younger one is not stored as running yet
	all.see(old("younger", time.Minute, v1alpha1.RunRunning))
	all.see(old("younger", time.Minute, v1alpha1.RunWaiting)) // of before
	want("older", pipeline.Await)
	all.see(old("younger", time.Minute, v1alpha1.RunSucceeded))
	want("older", pipeline.Begin)
	all.see(old("third", time.Second, ""))
	want("third", pipeline.Await)
	all.forget("another", loop.Key{Namespace: "shop", Name: "older"})
	want("third", pipeline.Await)
	all.forget("older", loop.Key{Namespace: "shop", Name: "older"})
	want("third", pipeline.Begin)
}

package places

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/blob"
	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

// shelf is what is stored, by name.
type shelf[T any] map[string]*T

func (s shelf[T]) Get(_ context.Context, _, name string) (*T, error) {
	if o, ok := s[name]; ok {
		return o, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{}, name)
}

// recorder is a provider that notes what it is told.
type recorder struct {
	name string
	done *[]instances.Action
	err  error
}

func (r recorder) Observe(_ context.Context, t instances.Target) (map[string]instances.Seen, error) {
	return map[string]instances.Seen{r.name: {Wanted: 1}}, r.err
}

func (r recorder) Do(_ context.Context, a instances.Action) error {
	*r.done = append(*r.done, a)
	return r.err
}

func zipped(t *testing.T, text string, parts ...string) *v1alpha1.Blob {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write([]byte(text))
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return &v1alpha1.Blob{Spec: v1alpha1.BlobSpec{Data: out.Bytes(), Parts: parts}}
}

func app(r *v1alpha1.Runs) *v1alpha1.Application {
	return &v1alpha1.Application{Spec: v1alpha1.ApplicationSpec{Runs: r}}
}

func newWorld(t *testing.T, done *[]instances.Action) World {
	return World{
		Places: Places{
			Applications: shelf[v1alpha1.Application]{
				"here":   app(&v1alpha1.Runs{Kubernetes: &v1alpha1.KubernetesRuns{}}),
				"there":  app(&v1alpha1.Runs{Provider: &v1alpha1.ProviderRuns{Name: "ours", Config: map[string]v1alpha1.Value{"a": "b"}}}),
				"gone":   app(&v1alpha1.Runs{Provider: &v1alpha1.ProviderRuns{Name: "theirs"}}),
				"host":   app(&v1alpha1.Runs{Host: &v1alpha1.HostRuns{}}),
				"nobody": app(nil),
			},
			Kubernetes: recorder{name: "kubernetes", done: done},
			Named:      map[string]instances.Provider{"ours": recorder{name: "ours", done: done}},
		},
		Blobs: shelf[v1alpha1.Blob]{
			"a": zipped(t, "a: 1\n", "b", "c"), "b": zipped(t, "b: 2\n"), "c": zipped(t, "c: 3\n"), "d": zipped(t, "d: 4\n"),
			"big": zipped(t, strings.Repeat("#", blob.MaxManifests)), "bad": {Spec: v1alpha1.BlobSpec{Data: []byte("no gzip")}},
		},
	}
}

func action(kind string, work instances.Work) pipeline.Action {
	data, _ := json.Marshal(work)
	return pipeline.Action{ID: "uid/deploy/1/1", Kind: kind, At: time.Unix(7, 0), Data: data}
}

func TestWorld(t *testing.T) {
	var done []instances.Action
	w := newWorld(t, &done)
	for app, want := range map[string]string{"here": `{"kubernetes":{"wanted":1,`, "there": `{"ours":{`} {
		data, _ := json.Marshal(instances.Question{Application: app})
		if fact, err := w.Observe(t.Context(), "shop", pipeline.Look{Kind: instances.See, Data: data}); err != nil || !strings.HasPrefix(string(fact.Data), want) {
			t.Errorf("%s: %s %v", app, fact.Data, err)
		}
	}
	work := instances.Work{Application: "there", Version: "v2", Replicas: 3, Image: "i", Manifests: "first: 0\n", Blobs: []string{"a", "d"}}
	result, err := w.Do(t.Context(), "shop", action("instances/deploy", work))
	if err != nil || !result.OK || len(done) != 1 {
		t.Fatalf("%+v %v, done %+v", result, err, done)
	}
	a := done[0]
	if a.ID != "uid/deploy/1/1" || a.Seq != 7_000_000 || a.Verb != instances.Deploy || a.Target.Namespace != "shop" || a.Target.Runs.Provider.Config["a"] != "b" ||
		a.Version != "v2" || a.Replicas != 3 || a.Image != "i" || string(a.Manifests) != "first: 0\na: 1\nb: 2\nc: 3\nd: 4\n" {
		t.Errorf("%+v, manifests %s", a, a.Manifests)
	}
}

// Who asks for what nobody can do is told what would help; the provider is not bothered.
func TestRefusals(t *testing.T) {
	var done []instances.Action
	w := newWorld(t, &done)
	for name, test := range map[string]struct {
		kind string
		work instances.Work
		want string
	}{
		"verb":        {"instances/dance", instances.Work{Application: "here", Version: "v2"}, "dance"},
		"version":     {"instances/deploy", instances.Work{Application: "here"}, `version ""`},
		"nobody":      {"instances/deploy", instances.Work{Application: "nobody", Version: "v2"}, "give it spec.runs"},
		"provider":    {"instances/deploy", instances.Work{Application: "gone", Version: "v2"}, `no provider "theirs", but ["ours"]`},
		"host":        {"instances/deploy", instances.Work{Application: "host", Version: "v2"}, "no agent"},
		"application": {"instances/deploy", instances.Work{Application: "lost", Version: "v2"}, "Application shop/lost"},
		"no gzip":     {"instances/deploy", instances.Work{Application: "here", Version: "v2", Blobs: []string{"bad"}}, "Blob bad"},
		"too big":     {"instances/deploy", instances.Work{Application: "here", Version: "v2", Blobs: []string{"big", "a"}}, "more than 16777216 bytes"},
	} {
		result, err := w.Do(t.Context(), "shop", action(test.kind, test.work))
		if err != nil || result.OK || !strings.Contains(result.Text, test.want) {
			t.Errorf("%s: %+v %v", name, result, err)
		}
	}
	if len(done) > 0 {
		t.Errorf("done: %+v", done)
	}
	if _, err := w.Do(t.Context(), "shop", action("instances/deploy", instances.Work{Application: "here", Version: "v2", Blobs: []string{"lost"}})); err == nil {
		t.Error("a Blob that is not there yet is no refusal")
	}
	w.Places.Kubernetes = recorder{done: &done, err: errors.New("the answer got lost")}
	if _, err := w.Do(t.Context(), "shop", action("instances/deploy", instances.Work{Application: "here", Version: "v2"})); err == nil {
		t.Error("an answer that got lost was taken for one")
	}
	data, _ := json.Marshal(instances.Question{Application: "nobody"})
	if _, err := w.Observe(t.Context(), "shop", pipeline.Look{Kind: instances.See, Data: data}); !errors.Is(err, instances.ErrRefused) {
		t.Errorf("a look at what nobody runs: %v", err)
	}
	if seen, err := w.Places.Observe(t.Context(), instances.Target{Namespace: "shop", Application: "nobody"}); seen != nil || err != nil {
		t.Errorf("a release of what nobody runs: %v %v", seen, err)
	}
}

package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weft.dev/api/v1alpha1"
	"weft.dev/dial"
	"weft.dev/release/artifact"
	"weft.dev/release/pipeline"
)

// shelf has tags, runs and Secrets, or a fault.
type shelf struct {
	tags    []string
	asked   artifact.Repository
	runs    []*v1alpha1.PipelineRun
	secrets map[string]*corev1.Secret
	fault   error
}

func (s *shelf) Tags(_ context.Context, r artifact.Repository) ([]string, error) {
	s.asked = r
	return s.tags, s.fault
}

func (s *shelf) Digest(_ context.Context, _ artifact.Repository, tag string) (string, error) {
	return "sha256:" + tag, s.fault
}

func (s *shelf) List(_ context.Context, namespace string) ([]*v1alpha1.PipelineRun, error) {
	if namespace != "shop" {
		return nil, errors.New("not that namespace")
	}
	return s.runs, s.fault
}

func (s *shelf) Get(_ context.Context, _, name string) (*corev1.Secret, error) {
	if found := s.secrets[name]; found != nil {
		return found, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{}, name)
}

func (s *shelf) world() World { return World{Registry: s, Secrets: s, Runs: s} }

// looks finds, and says what in one line.
func looks(t *testing.T, w World, c v1alpha1.FindArtifactStage) string {
	t.Helper()
	data, _ := json.Marshal(c)
	fact, err := w.Observe(t.Context(), "shop", pipeline.Look{Kind: pipeline.SeeArtifact, Data: data})
	if err != nil {
		return "error: " + err.Error()
	}
	var seen pipeline.ArtifactSeen
	if err := json.Unmarshal(fact.Data, &seen); err != nil {
		t.Fatal(err)
	}
	if seen.Refused != "" {
		return "refused: " + seen.Refused
	}
	outputs, _ := json.Marshal(seen.Outputs)
	return seen.Text + " " + string(outputs)
}

func TestImage(t *testing.T) {
	const shop = "r.example.com/shop"
	s := &shelf{tags: []string{"build-9", "build-10", "1.4.0", "1.10.0"}, secrets: map[string]*corev1.Secret{
		"login": {Data: map[string][]byte{"username": []byte("u"), "password": []byte("p\n")}}, "half": {},
	}}
	for want, c := range map[string]v1alpha1.FindImage{
		`r.example.com/shop:build-10, the newest of 2 {"digest":"sha256:build-10","image":"r.example.com/shop@sha256:build-10","repository":"r.example.com/shop","tag":"build-10"}`: {Repository: shop, Tag: "build-.*"},
		`r.example.com/shop:1.10.0, the newest of 2 {`:            {Repository: shop, Version: "^1"},
		`refused: image r.example.com/shop: none of its 4 tags`:   {Repository: shop, Version: "^2"},
		`refused: repository "shop": want HOST/PATH`:              {Repository: "shop"},
		`refused: tag: want a regular expression`:                 {Repository: shop, Tag: "("},
		`refused: secret shop/gone: `:                             {Repository: shop, Secret: "gone"},
		`error: secret shop/half has no password: give it usern`:  {Repository: shop, Secret: "half"},
		`r.example.com/shop:build-9, the newest of 1 {"digest":"`: {Repository: shop, Tag: "build-9", Secret: "login", Insecure: true},
	} {
		if got := looks(t, s.world(), v1alpha1.FindArtifactStage{Image: &c}); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
		if c.Secret == "login" && (s.asked.Login != artifact.Login{Username: "u", Password: "p"} || !s.asked.Insecure) {
			t.Errorf("asked as %+v", s.asked)
		}
	}
	s.fault = errors.New("timed out")
	if got := looks(t, s.world(), v1alpha1.FindArtifactStage{Image: &v1alpha1.FindImage{Repository: shop}}); got != "error: timed out" {
		t.Errorf("who does not answer has not refused: %s", got)
	}
	s.fault = fmt.Errorf("tags: %w", dial.Refused{})
	if got := looks(t, s.world(), v1alpha1.FindArtifactStage{Image: &v1alpha1.FindImage{Repository: shop}}); !strings.HasPrefix(got, "refused: tags: ") {
		t.Errorf("%s", got)
	}
	if got := looks(t, s.world(), v1alpha1.FindArtifactStage{}); !strings.HasPrefix(got, "refused: it names nothing") {
		t.Errorf("%s", got)
	}
	if r, err := s.world().Do(t.Context(), "shop", pipeline.Action{Kind: "artifact/push"}); err != nil || r.OK {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := s.world().Observe(t.Context(), "shop", pipeline.Look{Kind: "artifact/dance", Data: json.RawMessage("{}")}); err == nil {
		t.Error("nobody sees that")
	}
}

// TestAnswers: a registry that knows no such repository, or not who asks, is not asked again; one in trouble is.
func TestAnswers(t *testing.T) {
	for status, want := range map[int]string{
		http.StatusNotFound: "refused: tags of ", http.StatusForbidden: "refused: tags of ", http.StatusUnauthorized: "refused: tags of ",
		http.StatusInternalServerError: "error: tags of ", http.StatusTooManyRequests: "error: tags of ",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		w := (&shelf{}).world()
		w.Registry = artifact.New((&net.Dialer{}).DialContext)
		image := v1alpha1.FindImage{Repository: strings.TrimPrefix(server.URL, "http://") + "/shop", Insecure: true}
		if got := looks(t, w, v1alpha1.FindArtifactStage{Image: &image}); !strings.HasPrefix(got, want) {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
		server.Close()
	}
}

// ended is a run that ended so many minutes after noon, and the events that are kept with it.
func ended(name, of string, phase v1alpha1.RunPhase, minute int, events ...v1alpha1.RunEvent) *v1alpha1.PipelineRun {
	at := metav1.NewMicroTime(time.Date(2026, 3, 1, 12, minute, 0, 0, time.UTC))
	return &v1alpha1.PipelineRun{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, Spec: v1alpha1.PipelineRunSpec{Pipeline: of},
		Status: v1alpha1.PipelineRunStatus{Phase: phase, Ended: &at, Events: events},
	}
}

func stageEnded(stage, outputs string) v1alpha1.RunEvent {
	return v1alpha1.RunEvent{Kind: "StageEnded", Stage: stage, Data: &runtime.RawExtension{Raw: []byte(`{"phase":"Succeeded","outputs":` + outputs + `}`)}}
}

func TestRun(t *testing.T) {
	long := ended("long", "long", "Succeeded", 1, stageEnded("last", `{}`))
	long.Status.Sealed = 2
	running := ended("b-4", "build", "Running", 9)
	running.Status.Ended = nil
	s := &shelf{runs: []*v1alpha1.PipelineRun{
		ended("b-1", "build", "Succeeded", 1, stageEnded("image", `{"tag":"v1"}`)),
		ended("b-2", "build", "Succeeded", 3, stageEnded("image", `{"tag":"old"}`), stageEnded("test", `{}`), stageEnded("image", `{"tag":"v2","n":7,"run":"x"}`)),
		ended("b-3", "build", "Failed", 5, stageEnded("image", `{"tag":"v3"}`)),
		running, ended("o-1", "other", "Succeeded", 7), long, ended("b-0", "build", "Succeeded", 0, stageEnded("image", `{"tag":"v0"}`)),
	}}
	w := s.world()
	w.Chapter = func(_ context.Context, o *v1alpha1.PipelineRun, n int32) ([]v1alpha1.RunEvent, error) {
		return map[int32][]v1alpha1.RunEvent{1: {stageEnded("first", `{"a":1}`), stageEnded("image", `{"tag":"retried"}`)}, 2: {stageEnded("image", `{"tag":"v9"}`)}}[n], s.fault
	}
	for want, c := range map[string]v1alpha1.FindRun{
		`run b-2 {"n":7,"run":"b-2","tag":"v2"}`:                 {Pipeline: "build", Stage: "image"},
		`run b-3 {"run":"b-3","tag":"v3"}`:                       {Pipeline: "build", Stage: "image", Phases: []v1alpha1.RunPhase{"Failed", "Succeeded"}},
		`run long {"run":"long","tag":"v9"}`:                     {Pipeline: "long", Stage: "image"},
		`run long {"a":1,"run":"long"}`:                          {Pipeline: "long", Stage: "first"},
		`refused: no stage gone has ended in run long: name one`: {Pipeline: "long", Stage: "gone"},
		`refused: no run of pipeline build has ended as one of`:  {Pipeline: "build", Stage: "image", Phases: []v1alpha1.RunPhase{"Cancelled"}},
		`refused: no run of pipeline lost`:                       {Pipeline: "lost", Stage: "image"},
	} {
		if got := looks(t, w, v1alpha1.FindArtifactStage{Run: &c}); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	s.fault = errors.New("timed out")
	if got := looks(t, w, v1alpha1.FindArtifactStage{Run: &v1alpha1.FindRun{Pipeline: "build", Stage: "image"}}); got != "error: timed out" {
		t.Errorf("%s", got)
	}
}

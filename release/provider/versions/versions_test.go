package versions

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/blob"
	"weft.dev/release/pipeline"
)

// shelf is objects in memory; each is a minute younger than the one before.
type shelf[T any] struct {
	objects map[string]*T
	made    int
	fault   error // of the next create
}

func newShelf[T any]() *shelf[T] { return &shelf[T]{objects: map[string]*T{}} }

func missing(name string) error { return apierrors.NewNotFound(schema.GroupResource{}, name) }

func (s *shelf[T]) Get(_ context.Context, _, name string) (*T, error) {
	if o, ok := s.objects[name]; ok {
		return o, nil
	}
	return nil, missing(name)
}

func (s *shelf[T]) List(context.Context, string) (all []*T, err error) {
	for _, o := range s.objects {
		all = append(all, o)
	}
	return all, nil
}

func (s *shelf[T]) Create(_ context.Context, o *T) (*T, error) {
	meta := any(o).(metav1.Object)
	if err := s.fault; err != nil {
		s.fault = nil
		return nil, err
	}
	if s.objects[meta.GetName()] != nil {
		return nil, apierrors.NewAlreadyExists(schema.GroupResource{}, meta.GetName())
	}
	s.made++
	meta.SetCreationTimestamp(metav1.NewTime(time.Unix(0, 0).Add(time.Duration(s.made) * time.Minute)))
	s.objects[meta.GetName()] = o
	return o, nil
}

func (s *shelf[T]) Update(_ context.Context, o *T) (*T, error) {
	s.objects[any(o).(metav1.Object).GetName()] = o
	return o, nil
}

func (s *shelf[T]) Delete(_ context.Context, _, name string) error {
	delete(s.objects, name)
	return nil
}

// shares are the weights of versions.
type shares map[string]int32

func (s shares) Of(context.Context, string, string) (seen pipeline.TrafficSeen, _ error) {
	for v, w := range s {
		seen.Shares = append(seen.Shares, v1alpha1.VersionWeight{Version: v, Weight: w})
	}
	return seen, nil
}

type stores struct {
	Records
	versions *shelf[v1alpha1.Version]
	blobs    *shelf[v1alpha1.Blob]
	app      *v1alpha1.Application
	traffic  shares
}

func newStores() *stores {
	s := &stores{versions: newShelf[v1alpha1.Version](), blobs: newShelf[v1alpha1.Blob](), traffic: shares{}}
	apps := newShelf[v1alpha1.Application]()
	s.app, _ = apps.Create(context.Background(), &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Name: "reviews"}})
	s.Records = Records{Versions: s.versions, Blobs: s.blobs, Applications: apps, Traffic: s.traffic}
	return s
}

func (s *stores) deployed(t *testing.T, id string, work pipeline.VersionWork) pipeline.Result {
	t.Helper()
	data, _ := json.Marshal(work)
	r, err := World{s.Records}.Do(t.Context(), "shop", pipeline.Action{ID: id, Kind: pipeline.CreateVersion, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *stores) manifests(t *testing.T, version string) string {
	t.Helper()
	v, err := s.Find(t.Context(), "shop", "reviews", version)
	if err != nil || v == nil {
		t.Fatalf("%s: %v %v", version, v, err)
	}
	text, err := s.Manifests(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestKeep: what was deployed comes back byte for byte, also where it needs several Blobs; made twice it is there once.
func TestKeep(t *testing.T) {
	s := newStores()
	noise := make([]byte, 2*maxPiece)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	s.blobs.Create(t.Context(), &v1alpha1.Blob{ObjectMeta: metav1.ObjectMeta{Name: "of-the-run"}, Spec: v1alpha1.BlobSpec{Data: blob.Pack(noise)}})
	work := pipeline.VersionWork{Application: "reviews", Version: "V_2", Run: "ship-1", Image: "shop@sha256:1", Manifests: "first: 1\n", Blobs: []string{"of-the-run"}}
	s.versions.fault = apierrors.NewServiceUnavailable("later")
	data, _ := json.Marshal(work)
	action := pipeline.Action{ID: "a", Kind: pipeline.CreateVersion, Data: data}
	if _, err := (World{s.Records}).Do(t.Context(), "shop", action); err == nil {
		t.Error("an outage was taken for an answer")
	}
	for range 2 {
		if r := s.deployed(t, "a", work); !r.OK || r.ID != "a" || r.Text != "reviews V_2 is recorded" {
			t.Errorf("%+v", r)
		}
	}
	delete(s.blobs.objects, "of-the-run") // with its run
	if got := s.manifests(t, "V_2"); got != "first: 1\n"+string(noise) {
		t.Errorf("%d bytes came back", len(got))
	}
	if len(s.blobs.objects) != 3 || len(s.versions.objects) != 1 || s.versions.made != 1 {
		t.Errorf("%d blobs, %d versions, %d made", len(s.blobs.objects), len(s.versions.objects), s.versions.made)
	}
	for _, b := range s.blobs.objects {
		if len(b.Spec.Data) > 512<<10 {
			t.Errorf("Blob %s has %d bytes", b.Name, len(b.Spec.Data))
		}
	}
	work.Manifests, work.Blobs, work.Run = "other: 1\n", nil, "ship-2"
	s.deployed(t, "b", work)
	if got := s.manifests(t, "V_2"); got != "other: 1\n" || len(s.blobs.objects) != 1 || len(s.versions.objects) != 1 {
		t.Errorf("%q, %d blobs", got, len(s.blobs.objects))
	}
	work.Image = "shop@sha256:2"
	s.deployed(t, "c", work)
	if v, _ := s.Find(t.Context(), "shop", "reviews", "V_2"); v.Spec.Image != "shop@sha256:2" || s.manifests(t, "V_2") != "other: 1\n" {
		t.Errorf("%+v", v.Spec)
	}
	if v, err := s.Find(t.Context(), "shop", "reviews", "v9"); v != nil || err != nil {
		t.Errorf("%v %v", v, err)
	}
}

// TestRecord: what was found running is noted, and replaces nothing.
func TestRecord(t *testing.T) {
	s := newStores()
	s.deployed(t, "a", pipeline.VersionWork{Application: "reviews", Version: "v1", Manifests: "a: 1"})
	for _, version := range []string{"v1", "v2", "v2"} {
		if err := s.Record(t.Context(), "shop", v1alpha1.VersionSpec{Application: "reviews", Version: version, Image: "i"}); err != nil {
			t.Fatal(err)
		}
	}
	if s.manifests(t, "v1") != "a: 1" || s.manifests(t, "v2") != "" || s.versions.made != 2 {
		t.Errorf("%d made", s.versions.made)
	}
}

// TestPrune: of many versions the newest stay, and those that somebody may need now; their Blobs go with the others.
func TestPrune(t *testing.T) {
	s := newStores()
	s.app.Status.Version, s.app.Status.Previous = "v2", "v3"
	s.traffic["v4"], s.traffic["v5"] = 5, 0
	s.deployed(t, "other", pipeline.VersionWork{Application: "ratings", Version: "v1", Manifests: "a: 1"})
	big := strings.Repeat("#", 2*maxPiece)
	for i := range 50 {
		s.deployed(t, fmt.Sprint(i), pipeline.VersionWork{Application: "reviews", Version: fmt.Sprintf("v%d", i+1), Manifests: big})
	}
	all, err := s.versions.List(t.Context(), "shop")
	all = Of(all, "reviews")
	var names []string
	for _, v := range all {
		names = append(names, v.Spec.Version)
		if got := s.manifests(t, v.Spec.Version); got != big {
			t.Errorf("%s lost its manifests", v.Spec.Version)
		}
	}
	if want := keepVersions + 3; err != nil || len(names) != want || names[0] != "v50" || names[19] != "v31" || !slices.Equal(names[20:], []string{"v4", "v3", "v2"}) {
		t.Errorf("%v %v", names, err)
	}
	if len(s.blobs.objects) != 2*len(all)+1 {
		t.Errorf("%d blobs of %d versions", len(s.blobs.objects), len(all))
	}
}

func TestRefusals(t *testing.T) {
	s := newStores()
	s.blobs.objects["bad"] = &v1alpha1.Blob{Spec: v1alpha1.BlobSpec{Data: []byte("no gzip")}}
	work := pipeline.VersionWork{Application: "reviews", Version: "v1", Blobs: []string{"bad"}}
	if r := s.deployed(t, "a", work); r.OK || !strings.Contains(r.Text, "reviews v1 is not recorded: refused: Blob bad") {
		t.Errorf("%+v", r)
	}
	s.versions.fault = apierrors.NewInvalid(schema.GroupKind{}, "x", nil)
	work.Blobs = nil
	if r := s.deployed(t, "a", work); r.OK || len(s.versions.objects) > 0 {
		t.Errorf("%+v", r)
	}
	if r, err := (World{s.Records}).Do(t.Context(), "shop", pipeline.Action{ID: "a", Kind: "version/dance", Data: []byte("{}")}); err != nil || r.OK {
		t.Errorf("%+v %v", r, err)
	}
}

// Names of versions that differ are different, and a server takes each.
func TestNames(t *testing.T) {
	names := map[string]bool{}
	for _, v := range [][2]string{{"a", "b-c"}, {"a-b", "c"}, {"a", "v1.2"}, {"a", "V1.2"}, {"a", "v1_2"}, {"a", "v1..2"}, {"a", "2026-03-01_" + strings.Repeat("x", 50)}} {
		name := v1alpha1.VersionName(v[0], v[1])
		if names[name] || bytes.ContainsAny([]byte(name), "_.V") {
			t.Errorf("%v is %s", v, name)
		}
		names[name] = true
	}
}

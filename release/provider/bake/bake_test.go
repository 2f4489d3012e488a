package bake_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/bake"
	"weft.dev/release/blob"
	"weft.dev/release/pipeline"
	provider "weft.dev/release/provider/bake"
)

// blobs are stored ones; the first broken writes fail.
type blobs struct {
	all    map[string]*v1alpha1.Blob
	broken int
}

func (b *blobs) Create(_ context.Context, o *v1alpha1.Blob) (*v1alpha1.Blob, error) {
	if b.broken > 0 {
		b.broken--
		return nil, errors.New("the server is away")
	}
	if b.all[o.Name] != nil {
		return nil, apierrors.NewAlreadyExists(schema.GroupResource{}, o.Name)
	}
	b.all[o.Name] = o
	return o, nil
}

const repository = "https://git.example/shop/web.git"

// world bakes text, whatever is asked.
func world(text string) (*provider.World, *blobs) {
	stored := &blobs{all: map[string]*v1alpha1.Blob{}}
	return provider.New(provider.Options{
		Checkout: func(_ context.Context, repository, revision, folder string) (bake.Tree, string, error) {
			if revision != "main" {
				return bake.Tree{}, "", errors.New("there is no " + revision)
			}
			return bake.Tree{}, "c0ffee", nil
		},
		Render: func(_ context.Context, _ bake.Tree, r bake.Request) ([]byte, error) {
			if r.Values == "" {
				return nil, errors.New("no values")
			}
			return []byte(text), nil
		},
		Blobs:   stored,
		Allowed: []string{"https://git.example/shop/"},
	}), stored
}

func action(change func(*v1alpha1.BakeStage)) pipeline.Action {
	c := v1alpha1.BakeStage{Kind: "helm", Repository: repository, Revision: "main", Values: "a: b"}
	change(&c)
	data, _ := json.Marshal(c)
	return pipeline.Action{ID: "uid-1/bake/1/1", Kind: pipeline.Bake, Safe: true, Data: data}
}

func asIs(*v1alpha1.BakeStage) {}

// read is what the Blobs of a result hold.
func read(t *testing.T, stored *blobs, r pipeline.Result) (string, pipeline.Made) {
	t.Helper()
	var made pipeline.Made
	if err := json.Unmarshal(r.Data, &made); err != nil || len(r.Data) > pipeline.MaxData {
		t.Fatalf("%d bytes, %v", len(r.Data), err)
	}
	var all bytes.Buffer
	for _, name := range made.Manifests {
		b := stored.all[name]
		if len(b.Spec.Data) > blob.MaxBytes || b.Labels[v1alpha1.BlobRunLabel] != "uid-1" || b.Namespace != "shop" {
			t.Errorf("%s: %d bytes, %v", name, len(b.Spec.Data), b.ObjectMeta)
		}
		text, err := blob.Read(b, 16<<20)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String(), made
}

const pod = "kind: Pod\nspec: {containers: [{image: shop:v2}]}\n"

// TestTwice: a bake that is done again stores nothing twice and tells the same.
func TestTwice(t *testing.T) {
	w, stored := world(pod + "---\n" + pod)
	stored.broken = 1
	if r, err := w.Do(t.Context(), "shop", action(asIs)); err == nil {
		t.Errorf("nobody knows whether it is stored: got %v", r)
	}
	first, err := w.Do(t.Context(), "shop", action(asIs))
	if err != nil || !first.OK || first.Text != "2 objects of commit c0ffee" {
		t.Fatalf("got %+v, %v", first, err)
	}
	text, made := read(t, stored, first)
	if text != pod+"---\n"+pod || made.Objects != 2 || fmt.Sprint(made.Images) != "[shop:v2]" || made.Revision != "c0ffee" {
		t.Errorf("got %+v\n%s", made, text)
	}
	again, err := w.Do(t.Context(), "shop", action(asIs))
	if err != nil || !bytes.Equal(again.Data, first.Data) || len(stored.all) != 1 {
		t.Errorf("got %+v, %v, %d blobs", again, err, len(stored.all))
	}
}

// TestLarge: many objects are in several Blobs, whole ones, in order.
func TestLarge(t *testing.T) {
	var text strings.Builder
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		fmt.Fprintf(&text, "kind: Pod\nn: %d\nx: %x\nspec: {containers: [{image: a%d}]}\n", i, random.Perm(400), i)
		if i < 2999 {
			text.WriteString("---\n")
		}
	}
	w, stored := world(text.String())
	r, err := w.Do(t.Context(), "shop", action(asIs))
	if err != nil || !r.OK {
		t.Fatalf("got %+v, %v", r, err)
	}
	got, made := read(t, stored, r)
	if got != text.String() || len(made.Manifests) < 2 || made.Objects != 3000 || len(made.Images) == 0 {
		t.Errorf("%d bytes of %d, in %d Blobs, %d objects, %d images", len(got), text.Len(), len(made.Manifests), made.Objects, len(made.Images))
	}
}

func TestRefused(t *testing.T) {
	from := func(url string) func(*v1alpha1.BakeStage) {
		return func(c *v1alpha1.BakeStage) { c.Repository = url }
	}
	noise := func(n int) string {
		random := rand.New(rand.NewPCG(1, 2))
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(' ' + random.IntN(90))
		}
		return "kind: |\n  " + string(data) + "\n"
	}
	for name, c := range map[string]struct {
		text   string
		change func(*v1alpha1.BakeStage)
		want   string
	}{
		"another repository": {pod, from("https://git.example/pay/web.git"), "--bake-repository"},
		"another host":       {pod, from("https://git.example.org/shop/web.git"), "--bake-repository"},
		"up":                 {pod, from("https://git.example/shop/../pay/web.git"), "--bake-repository"},
		"a file":             {pod, from("file:///etc"), "--bake-repository"},
		"no revision":        {pod, func(c *v1alpha1.BakeStage) { c.Revision = "v9" }, "checkout of v9: there is no v9"},
		"no chart":           {pod, func(c *v1alpha1.BakeStage) { c.Values, c.Path = "", "deploy" }, "deploy at c0ffee: no values"},
		"too much":           {strings.Repeat(pod, 17<<20/len(pod)), asIs, "bake it in parts"},
		"a large object":     {noise(1 << 20), asIs, "make it smaller"},
	} {
		t.Run(name, func(t *testing.T) {
			w, stored := world(c.text)
			r, err := w.Do(t.Context(), "shop", action(c.change))
			if err != nil || r.OK || !strings.Contains(r.Text, c.want) || len(stored.all) > 0 {
				t.Errorf("want %q, got %+v, %v, %d blobs", c.want, r, err, len(stored.all))
			}
		})
	}
}

// TestServerEnds: what a server that ends was baking, another one bakes.
func TestServerEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w, _ := world(pod)
	w.Render = func(ctx context.Context, _ bake.Tree, _ bake.Request) ([]byte, error) {
		cancel()
		return nil, ctx.Err()
	}
	if r, err := w.Do(ctx, "shop", action(asIs)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %+v, %v", r, err)
	}
}

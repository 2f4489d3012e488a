// Package bake makes the manifests that bake stages of a run ask for, and stores them.
//
// Input: pipeline.Bake. Output: Blobs of the run, named by what they hold, so that a
// bake that is done again stores nothing twice. Who checks out a repository and who
// renders what strangers wrote, it is told. It must not know what is deployed.
package bake

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/bake"
	"weft.dev/release/blob"
	"weft.dev/release/pipeline"
)

const (
	// checkoutTime is how long a checkout may take: with a bake's own time, an action's.
	checkoutTime = 25 * time.Second
	// maxTogether bakes at a time: each may take its memory.
	maxTogether = 2
	// useManifests is what the Blobs are for.
	useManifests = "output"
)

// Blobs are the stored ones, as store.Resource is.
type Blobs interface {
	Create(ctx context.Context, o *v1alpha1.Blob) (*v1alpha1.Blob, error)
}

// Options are who does what.
type Options struct {
	// Checkout reads a folder of a revision, and tells its commit.
	Checkout func(ctx context.Context, repository, revision, folder string) (bake.Tree, string, error)
	Render   func(ctx context.Context, t bake.Tree, r bake.Request) ([]byte, error)
	Blobs    Blobs
	// Allowed are the repositories that stages may name: a URL, or what one begins with, up to a slash.
	// The server's credentials for Git are those of all stages.
	Allowed []string
}

// World bakes.
type World struct {
	Options
	slots chan struct{}
}

// New makes it.
func New(o Options) *World { return &World{o, make(chan struct{}, maxTogether)} }

// Observe sees nothing: a bake has ended when it was done.
func (w *World) Observe(_ context.Context, _ string, l pipeline.Look) (pipeline.Fact, error) {
	return pipeline.Fact{}, fmt.Errorf("kind %q: nobody sees that", l.Kind)
}

// Do bakes.
func (w *World) Do(ctx context.Context, namespace string, a pipeline.Action) (pipeline.Result, error) {
	var c v1alpha1.BakeStage
	if err := json.Unmarshal(a.Data, &c); err != nil || a.Kind != pipeline.Bake {
		return pipeline.Result{}, fmt.Errorf("kind %q: nobody does that, or not so: %v", a.Kind, err)
	}
	if !w.allows(c.Repository) {
		return a.Refused(errors.New("this server may not check out that repository: have it started with --bake-repository and its URL, or what that begins with, up to a slash; in a Kubernetes cluster that is bake.repositories of the chart"))
	}
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-ctx.Done():
		return pipeline.Result{}, ctx.Err()
	}
	made, manifests, err := w.made(ctx, &c)
	switch {
	case errors.Is(ctx.Err(), context.Canceled): // this server ends: another one does it again
		return pipeline.Result{}, ctx.Err()
	case err != nil:
		return a.Refused(err)
	}
	return w.store(ctx, namespace, a, made, manifests)
}

// allows reports whether a repository is allowed, or below something that is.
func (w *World) allows(repository string) bool {
	return !strings.Contains(repository, "/..") && slices.ContainsFunc(w.Allowed, func(allowed string) bool {
		return repository == allowed || strings.HasSuffix(allowed, "/") && strings.HasPrefix(repository, allowed)
	})
}

func (w *World) made(ctx context.Context, c *v1alpha1.BakeStage) (pipeline.Made, []byte, error) {
	tree, commit, err := w.checkout(ctx, c)
	if err != nil {
		return pipeline.Made{}, nil, err
	}
	manifests, err := w.Render(ctx, tree, request(c))
	if err == nil && len(manifests) > blob.MaxManifests {
		err = fmt.Errorf("it gives %d bytes, more than %d: bake it in parts", len(manifests), blob.MaxManifests)
	}
	if err != nil {
		return pipeline.Made{}, nil, fmt.Errorf("%s at %.12s: %w", cmp.Or(c.Path, c.Folder, c.Kind), commit, err)
	}
	objects, err := bake.Objects(manifests)
	return pipeline.Made{Objects: len(objects), Images: bake.Images(objects), Revision: commit}, manifests, err
}

func (w *World) checkout(ctx context.Context, c *v1alpha1.BakeStage) (bake.Tree, string, error) {
	timed, cancel := context.WithTimeout(ctx, checkoutTime)
	defer cancel()
	tree, commit, err := w.Checkout(timed, c.Repository, c.Revision, c.Folder)
	if timed.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("it takes longer than %s", checkoutTime)
	}
	if err != nil {
		err = fmt.Errorf("checkout of %s: %w", c.Revision, err)
	}
	return tree, commit, err
}

func request(c *v1alpha1.BakeStage) bake.Request {
	return bake.Request{
		Kind: bake.Kind(c.Kind), Path: c.Path, Name: c.Name, Namespace: c.Namespace, ValuesFiles: c.ValuesFiles, Values: c.Values,
		Set: plain(c.Set), CRDs: c.CRDs, Variables: plain(c.Variables), Arguments: plain(c.Arguments),
	}
}

func plain(values map[string]v1alpha1.Value) map[string]string {
	all := map[string]string{}
	for key, value := range values {
		all[key] = string(value)
	}
	return all
}

// store keeps manifests as Blobs of the run.
func (w *World) store(ctx context.Context, namespace string, a pipeline.Action, made pipeline.Made, manifests []byte) (pipeline.Result, error) {
	run, _, _ := strings.Cut(a.ID, "/")
	blobs, err := packed(types.UID(run), namespace, bytes.SplitAfter(manifests, []byte("\n---\n")))
	if err != nil {
		return a.Refused(err)
	}
	for _, b := range blobs {
		if _, err := w.Blobs.Create(ctx, b); err != nil && !apierrors.IsAlreadyExists(err) { // its name says what it holds
			return pipeline.Result{}, fmt.Errorf("manifests: Blob %s: %w", b.Name, err)
		}
		made.Manifests = append(made.Manifests, b.Name)
	}
	data, err := json.Marshal(made)
	if err != nil {
		return pipeline.Result{}, err
	}
	for len(data) > pipeline.MaxData && len(made.Images) > 0 { // who needs all of them reads the manifests
		made.Images = made.Images[:len(made.Images)-1]
		if data, err = json.Marshal(made); err != nil {
			return pipeline.Result{}, err
		}
	}
	return pipeline.Result{ID: a.ID, OK: true, Text: fmt.Sprintf("%d objects of commit %.12s", made.Objects, made.Revision), Data: data}, nil
}

// packed are documents in as few Blobs as hold them, each with whole documents.
func packed(run types.UID, namespace string, documents [][]byte) ([]*v1alpha1.Blob, error) {
	data := bytes.Join(documents, nil)
	b := blob.New(run, namespace, blob.Name(run, data), useManifests, data)
	half := len(documents) / 2
	switch {
	case len(b.Spec.Data) <= blob.MaxBytes:
		return []*v1alpha1.Blob{b}, nil
	case half == 0:
		return nil, fmt.Errorf("an object of %d bytes is more than can be stored: make it smaller", len(data))
	}
	first, err := packed(run, namespace, documents[:half])
	if err != nil {
		return nil, err
	}
	rest, err := packed(run, namespace, documents[half:])
	return append(first, rest...), err
}

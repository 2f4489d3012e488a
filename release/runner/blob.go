package runner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/blob"
)

// Uses of Blobs.
const (
	useDefinition = "definition"
	useChapter    = "chapter"
)

// maxPlain bounds what a Blob unpacks to, bytes.
const maxPlain = 16 << 20

// ChapterName names the Blob of a run's nth sealed chapter, from 1 on.
func ChapterName(run types.UID, n int32) string { return fmt.Sprintf("%s-c%04d", run, n) }

// Chapter reads the events of one that Engine sealed.
func Chapter(b *v1alpha1.Blob) (events []v1alpha1.RunEvent, err error) {
	return events, unpack(b, &events)
}

// Definition reads what a run began with, of the Blob that its status names.
func Definition(b *v1alpha1.Blob) (*v1alpha1.PipelineSpec, error) {
	d := &v1alpha1.PipelineSpec{}
	return d, unpack(b, d)
}

// pin stores a pipeline's spec as it is now, and returns the Blob's name.
func (e *Engine) pin(ctx context.Context, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec) (string, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	name := blob.Name(o.UID, data)
	return name, e.keep(ctx, o, name, useDefinition, data)
}

// keep stores data in a Blob of the run. One that is there already must be the same:
// it was made before a crash.
func (e *Engine) keep(ctx context.Context, o *v1alpha1.PipelineRun, name, use string, data []byte) error {
	info, _ := api.PipelineRun.Info()
	b := blob.New(o.UID, o.Namespace, name, use, data)
	b.OwnerReferences = []metav1.OwnerReference{{APIVersion: info.Version.GroupVersion().String(), Kind: info.Version.Kind, Name: o.Name, UID: o.UID}}
	_, err := e.Blobs.Create(ctx, b)
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	old, err := e.Blobs.Get(ctx, o.Namespace, name)
	if err != nil {
		return err
	}
	if plain, err := blob.Read(old, maxPlain); err != nil || !bytes.Equal(plain, data) {
		return fmt.Errorf("Blob %s is not what this run would store there, %d bytes: delete it", name, len(data))
	}
	return nil
}

func unpack(b *v1alpha1.Blob, into any) error {
	plain, err := blob.Read(b, maxPlain)
	if err == nil {
		err = json.Unmarshal(plain, into)
	}
	if err != nil {
		return fmt.Errorf("Blob %s: %w", b.Name, err)
	}
	return nil
}

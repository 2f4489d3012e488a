package runner

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
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

// definitionName is another one for each run and content, so that a Blob is of one run, and never has to change.
func definitionName(run types.UID, data []byte) string {
	sum := sha256.Sum256(append([]byte(run+"/"), data...))
	return fmt.Sprintf("b-%x", sum[:20])
}

// pin stores a pipeline's spec as it is now, and returns the Blob's name.
func (e *Engine) pin(ctx context.Context, o *v1alpha1.PipelineRun, d *v1alpha1.PipelineSpec) (string, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	name := definitionName(o.UID, data)
	return name, e.keep(ctx, o, name, useDefinition, data)
}

// keep stores data in a Blob of the run. One that is there already must be the same:
// it was made before a crash.
func (e *Engine) keep(ctx context.Context, o *v1alpha1.PipelineRun, name, use string, data []byte) error {
	info, _ := api.PipelineRun.Info()
	_, err := e.Blobs.Create(ctx, &v1alpha1.Blob{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: o.Namespace, Name: name,
			Labels:          map[string]string{v1alpha1.BlobRunLabel: string(o.UID), v1alpha1.BlobUseLabel: use},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: info.Version.GroupVersion().String(), Kind: info.Version.Kind, Name: o.Name, UID: o.UID}},
		},
		Spec: v1alpha1.BlobSpec{Data: pack(data)},
	})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	old, err := e.Blobs.Get(ctx, o.Namespace, name)
	if err != nil {
		return err
	}
	if plain, err := unpacked(old); err != nil || !bytes.Equal(plain, data) {
		return fmt.Errorf("Blob %s is not what this run would store there, %d bytes: delete it", name, len(data))
	}
	return nil
}

func pack(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, errWrite := w.Write(data)
	if err := errors.Join(errWrite, w.Close()); err != nil {
		panic(err) // to memory
	}
	return out.Bytes()
}

func unpacked(b *v1alpha1.Blob) ([]byte, error) {
	in, err := gzip.NewReader(bytes.NewReader(b.Spec.Data))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(in, maxPlain))
	return plain, err
}

func unpack(b *v1alpha1.Blob, into any) error {
	plain, err := unpacked(b)
	if err == nil {
		err = json.Unmarshal(plain, into)
	}
	if err != nil {
		return fmt.Errorf("Blob %s: %w", b.Name, err)
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/audit"
	"weft.dev/release/blob"
	"weft.dev/release/ledger"
	"weft.dev/store"
)

// What a Blob of weft's own namespace is that is a chapter of the audit.
const (
	auditUse    = "audit"
	auditPrefix = "audit-"
	maxChapter  = 32 << 20 // bytes, unpacked
)

// keepLedger has the leader in a cluster keep the audit of what weft accepts and does there.
func (m *mesh) keepLedger(client *store.Client) {
	l := ledger.New(ledger.Options{
		Decisions: store.For[v1alpha1.Decision](client, api.Decision),
		Freezes:   store.For[v1alpha1.Freeze](client, api.Freeze),
		Releases:  store.For[v1alpha1.Release](client, api.Release),
		Runs:      store.For[v1alpha1.PipelineRun](client, api.PipelineRun),
		Chapters:  chapters{store.For[v1alpha1.Blob](client, api.Blob), ownNamespace()},
		Now:       time.Now,
		Log:       m.log,
	})
	m.more = append(m.more, l.Run)
}

// chapters are Blobs of a namespace.
type chapters struct {
	blobs     store.Resource[v1alpha1.Blob]
	namespace string
}

func (c chapters) Read(ctx context.Context) ([]audit.Chapter, error) {
	blobs, err := c.blobs.List(ctx, c.namespace)
	if err != nil {
		return nil, err
	}
	var all []audit.Chapter
	for _, b := range blobs {
		if b.Labels[v1alpha1.BlobUseLabel] != auditUse {
			continue
		}
		one, err := chapterOf(b)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

func (c chapters) Write(ctx context.Context, one audit.Chapter) error {
	_, err := c.blobs.Create(ctx, blobOf(c.namespace, one))
	return err
}

func (c chapters) Delete(ctx context.Context, n int64) error {
	return c.blobs.Delete(ctx, c.namespace, chapterName(n))
}

func chapterName(n int64) string { return fmt.Sprintf("%s%010d", auditPrefix, n) }

func blobOf(namespace string, c audit.Chapter) *v1alpha1.Blob {
	return &v1alpha1.Blob{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: chapterName(c.N), Labels: map[string]string{v1alpha1.BlobUseLabel: auditUse}},
		Spec:       v1alpha1.BlobSpec{Data: blob.Pack(c.Text)},
	}
}

func chapterOf(b *v1alpha1.Blob) (audit.Chapter, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(b.Name, auditPrefix), 10, 64)
	if err != nil {
		return audit.Chapter{}, fmt.Errorf("Blob %s: its label says that it is of the audit, and its name is none of a chapter", b.Name)
	}
	text, err := blob.Read(b, maxChapter)
	if err != nil {
		return audit.Chapter{}, fmt.Errorf("Blob %s: %w", b.Name, err)
	}
	return audit.Chapter{N: n, Text: text}, nil
}

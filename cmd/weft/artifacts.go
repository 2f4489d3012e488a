package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
	"weft.dev/release/artifact"
	"weft.dev/release/provider/artifacts"
	"weft.dev/release/runner"
	"weft.dev/store"
)

// newArtifacts is what runs find images and the outputs of other runs by.
func newArtifacts(client *store.Client, flags serveFlags) artifacts.World {
	blobs := store.For[v1alpha1.Blob](client, api.Blob)
	return artifacts.World{
		Registry: artifact.New(flags.guard().DialContext),
		Secrets:  store.For[corev1.Secret](client, api.Secret),
		Runs:     store.For[v1alpha1.PipelineRun](client, api.PipelineRun),
		Chapter: func(ctx context.Context, o *v1alpha1.PipelineRun, n int32) ([]v1alpha1.RunEvent, error) {
			b, err := blobs.Get(ctx, o.Namespace, runner.ChapterName(o.UID, n))
			if err != nil {
				return nil, err
			}
			return runner.Chapter(b)
		},
	}
}

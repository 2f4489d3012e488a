package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"weft.dev/flow"
)

// A folder is served, and who put a pipeline into it is told that nothing runs it.
func TestFolderFront(t *testing.T) {
	flags := serveFlags{config: t.TempDir(), data: t.TempDir()}
	text := "{apiVersion: weft.dev/v1alpha1, kind: Pipeline, metadata: {name: ship}, spec: {stages: [{name: a, wait: {for: 1s}}]}}"
	if err := os.WriteFile(filepath.Join(flags.config, "ship.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	front, err := folderFront(flags, flow.New(flow.Options{}), log)
	if err != nil {
		t.Fatal(err)
	}
	front.tell(front.problems)
	ended := make(chan error, 1)
	go func() { ended <- front.run(t.Context()) }()
	select {
	case <-front.synced:
	case err := <-ended:
		t.Fatal(err)
	}
	if all := front.problems.All(); len(all) != 1 || all[0].Object.Name != "ship" {
		t.Errorf("%v", all)
	}
}

package api

import (
	"embed"
	"io/fs"
)

//go:embed crds/*.yaml
var crds embed.FS

// CRDs are the CustomResourceDefinitions of every accepted kind that Kubernetes
// does not define itself, one YAML file each.
func CRDs() fs.FS {
	sub, err := fs.Sub(crds, "crds")
	if err != nil {
		panic(err) // the folder is in the binary
	}
	return sub
}

package api

import (
	"embed"
	"io/fs"
)

//go:embed crds/*.yaml experimental/*.yaml
var crds embed.FS

// CRDs are the CustomResourceDefinitions of every accepted kind that Kubernetes
// does not define itself, one YAML file each. Those of the Gateway API are of its standard channel.
func CRDs() fs.FS { return folder("crds") }

// Served are those of a server of weft's own, and of files that no server checks: nobody there could bring other
// CRDs, so what weft does that only the experimental channel has is there at once.
func Served() fs.FS { return served{FS: CRDs(), first: folder("experimental")} }

type served struct {
	fs.FS
	first fs.FS
}

func (s served) Open(name string) (fs.File, error) {
	if file, err := s.first.Open(name); err == nil && name != "." {
		return file, nil
	}
	return s.FS.Open(name)
}

func folder(name string) fs.FS {
	sub, err := fs.Sub(crds, name)
	if err != nil {
		panic(err) // the folder is in the binary
	}
	return sub
}

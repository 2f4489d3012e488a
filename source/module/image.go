package module

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"

	"weft.dev/dial"
	"weft.dev/model"
)

const (
	scheme = "oci://"
	// moduleFile is the one of an image that has a file system.
	moduleFile  = "plugin.wasm"
	maxManifest = 1 << 20  // bytes
	maxUnpacked = 64 << 20 // bytes of a layer, to the file
)

// bare are the types of a layer that is the module itself.
var bare = map[string]bool{"application/vnd.module.wasm.content.layer.v1+wasm": true, "application/wasm": true, "application/vnd.wasm.content.layer.v1+wasm": true}

// image is the module of an image: a layer by itself, or a file in the last layer.
func (a asker) image(ctx context.Context, m model.ModuleSource) ([]byte, error) {
	from, err := remote.NewRepository(strings.TrimPrefix(m.URL, scheme))
	if err != nil {
		return nil, errors.New("it names no image; write oci://REGISTRY/NAME:TAG")
	}
	as, err := a.credential(m)
	if err != nil {
		return nil, err
	}
	from.Client = &auth.Client{Client: a.client, Cache: auth.NewCache(), Credential: as}
	from.PlainHTTP = ofThisMachine(from.Reference.Host())
	from.MaxMetadataBytes = maxManifest
	manifest, digest, err := manifestOf(ctx, from)
	if err != nil {
		return nil, err
	}
	if err := sameDigest(m, digest); err != nil {
		return nil, err
	}
	if len(manifest.Layers) == 0 {
		return nil, errors.New("the image has no layer")
	}
	for _, layer := range manifest.Layers {
		if bare[layer.MediaType] {
			return blob(ctx, from, layer)
		}
	}
	packed, err := blob(ctx, from, manifest.Layers[len(manifest.Layers)-1])
	if err != nil {
		return nil, err
	}
	return unpacked(packed)
}

// credential is who asks; nil: anybody.
func (a asker) credential(m model.ModuleSource) (auth.CredentialFunc, error) {
	if m.Pull == "" {
		return nil, nil
	}
	secret, ok := a.pull(m.Pull)
	if !ok {
		return nil, fmt.Errorf("there is no Secret %s of type kubernetes.io/dockerconfigjson; make it with kubectl create secret docker-registry", m.Pull)
	}
	store, err := credentials.NewMemoryStoreFromDockerConfig(secret.Config)
	if err != nil {
		return nil, fmt.Errorf("the Secret %s cannot be read; make it with kubectl create secret docker-registry", m.Pull)
	}
	return credentials.Credential(store), nil
}

// ofThisMachine says whether a registry is asked in plain text, as tools for images do.
func ofThisMachine(authority string) bool {
	host, _, err := net.SplitHostPort(authority)
	if err != nil {
		host = authority
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// manifestOf is that of an image, and its digest; of an index, that of the first image in it.
func manifestOf(ctx context.Context, from *remote.Repository) (m ocispec.Manifest, digest string, err error) {
	at, err := from.Resolve(ctx, from.Reference.ReferenceOrDefault())
	if err != nil {
		return m, "", err
	}
	digest = at.Digest.Encoded()
	var index struct {
		ocispec.Manifest
		Manifests []ocispec.Descriptor `json:"manifests"`
	}
	for range 2 {
		body, err := blob(ctx, from, at)
		if err == nil {
			err = json.Unmarshal(body, &index)
		}
		if err != nil || len(index.Manifests) == 0 {
			return index.Manifest, digest, err
		}
		at = index.Manifests[0]
		index.Manifests = nil
	}
	return m, "", errors.New("it is an index of indexes")
}

func blob(ctx context.Context, from *remote.Repository, at ocispec.Descriptor) ([]byte, error) {
	if at.Size > model.MaxModule {
		return nil, fmt.Errorf("it has more than %d bytes", model.MaxModule)
	}
	return content.FetchAll(ctx, from, at) // what has another digest is an error
}

func unpacked(layer []byte) ([]byte, error) {
	unzip, err := gzip.NewReader(strings.NewReader(string(layer)))
	if err != nil {
		return nil, errors.New("its last layer is neither a module nor a tar archive with gzip")
	}
	files := tar.NewReader(io.LimitReader(unzip, maxUnpacked))
	for {
		switch f, err := files.Next(); {
		case err != nil:
			return nil, errors.New("its last layer has no " + moduleFile + " that can be read")
		case path.Base(f.Name) == moduleFile && f.Typeflag == tar.TypeReg:
			return dial.ReadAll(files, model.MaxModule)
		}
	}
}

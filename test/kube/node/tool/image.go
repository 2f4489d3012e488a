package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"runtime"
	"strings"

	"github.com/distribution/reference"
)

// recipe is what an image is made of.
type recipe struct {
	name       string // full reference
	entrypoint []string
	env        []string
	user       string
	files      map[string]string // path in the image to the file here
}

// image writes an OCI image of one layer, in the form that containerd imports.
func image(args []string) error {
	f := flag.NewFlagSet("image", flag.ExitOnError)
	out := f.String("o", "", "file to write")
	name := f.String("t", "", "name:tag")
	entrypoint := f.String("entrypoint", "", "comma separated")
	user := f.String("user", "", "UID or UID:GID")
	var add, ldd, env list
	f.Var(&add, "add", "SRC:DST: a file or folder")
	f.Var(&ldd, "ldd", "SRC:DST: a binary, which is added with the libraries that it needs")
	f.Var(&env, "env", "K=V")
	if err := f.Parse(args); err != nil {
		return err
	}
	full, err := reference.ParseDockerRef(*name) // as the kubelet's runtime will look it up
	if err != nil {
		return err
	}
	r := recipe{name: full.String(), env: env, user: *user}
	if *entrypoint != "" {
		r.entrypoint = strings.Split(*entrypoint, ",")
	}
	if r.files, err = collect(add, ldd); err != nil {
		return err
	}
	content, err := r.build()
	if err != nil {
		return err
	}
	return replace(*out, content)
}

// replace writes a file only if its content changes, so that its time says when it did.
func replace(path string, content []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

type object = map[string]any

// blob is a content-addressed part of the image.
type blob struct {
	media   string
	content []byte
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func (b blob) descriptor() object {
	return object{"mediaType": b.media, "digest": "sha256:" + digest(b.content), "size": len(b.content)}
}

func (r recipe) build() ([]byte, error) {
	layer, err := pack(r.files)
	if err != nil {
		return nil, err
	}
	packed, err := compress(layer)
	if err != nil {
		return nil, err
	}
	layerBlob := blob{"application/vnd.oci.image.layer.v1.tar+gzip", packed}
	config, err := json.Marshal(object{
		"architecture": runtime.GOARCH, "os": "linux", "config": r.process(),
		"rootfs": object{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	if err != nil {
		return nil, err
	}
	configBlob := blob{"application/vnd.oci.image.config.v1+json", config}
	manifest, err := json.Marshal(object{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": configBlob.descriptor(), "layers": []object{layerBlob.descriptor()},
	})
	if err != nil {
		return nil, err
	}
	return r.archive(blob{"application/vnd.oci.image.manifest.v1+json", manifest}, configBlob, layerBlob)
}

// process is how a container of the image starts.
func (r recipe) process() object {
	path := "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	p := object{"Env": append([]string{path}, r.env...)}
	if len(r.entrypoint) > 0 {
		p["Entrypoint"] = r.entrypoint
	}
	if r.user != "" {
		p["User"] = r.user
	}
	return p
}

func (r recipe) archive(manifest blob, rest ...blob) ([]byte, error) {
	entry := manifest.descriptor()
	entry["annotations"] = object{"io.containerd.image.name": r.name}
	index, err := json.Marshal(object{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []object{entry}})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	err = putFile(w, "oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`))
	if err == nil {
		err = putFile(w, "index.json", 0o644, index)
	}
	for _, b := range append([]blob{manifest}, rest...) {
		if err == nil {
			err = putFile(w, "blobs/sha256/"+digest(b.content), 0o644, b.content)
		}
	}
	if err != nil {
		return nil, err
	}
	return out.Bytes(), w.Close()
}

func compress(content []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err = w.Close() // writes what is left
	return out.Bytes(), err
}

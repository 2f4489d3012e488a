package main

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// collect says which files go where: path in the image to the file here.
func collect(add, ldd []string) (map[string]string, error) {
	files := map[string]string{}
	for _, pair := range append(slices.Clone(add), ldd...) {
		src, dst, ok := strings.Cut(pair, ":")
		if !ok {
			return nil, fmt.Errorf("%q: want SRC:DST", pair)
		}
		if err := addTree(files, src, dst); err != nil {
			return nil, err
		}
	}
	for _, pair := range ldd {
		binary, _, _ := strings.Cut(pair, ":")
		libraries, err := needed(binary)
		if err != nil {
			return nil, err
		}
		for _, file := range libraries {
			files[file] = file
		}
	}
	return files, nil
}

func addTree(files map[string]string, src, dst string) error {
	return filepath.WalkDir(src, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(src, file)
		files[path.Join("/", dst, filepath.ToSlash(rel))] = file
		return err
	})
}

// needed are the libraries and the loader of a binary.
func needed(binary string) ([]string, error) {
	out, err := exec.Command("ldd", binary).CombinedOutput()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && strings.Contains(string(out), "not a dynamic executable") {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w: %s", binary, err, out)
	}
	var libraries []string
	for field := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(field, "/") {
			libraries = append(libraries, field)
		}
	}
	return libraries, nil
}

// pack writes the files as a layer: sorted and without times, so that equal files make an equal image.
func pack(files map[string]string) ([]byte, error) {
	var out bytes.Buffer
	l := layer{tar.NewWriter(&out), map[string]bool{"/": true}}
	for _, dir := range []string{"/tmp", "/etc", "/run", "/var"} {
		if err := l.folder(dir); err != nil {
			return nil, err
		}
	}
	for _, dst := range slices.Sorted(maps.Keys(files)) {
		if err := l.file(dst, files[dst]); err != nil {
			return nil, err
		}
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

type layer struct {
	*tar.Writer
	folders map[string]bool // those that were written
}

func (l layer) folder(dir string) error {
	if l.folders[dir] {
		return nil
	}
	if err := l.folder(path.Dir(dir)); err != nil {
		return err
	}
	l.folders[dir] = true
	mode := int64(0o755)
	if dir == "/tmp" {
		mode = 0o1777
	}
	return l.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(dir, "/") + "/", Mode: mode})
}

func (l layer) file(dst, src string) error {
	if err := l.folder(path.Dir(dst)); err != nil {
		return err
	}
	content, err := os.ReadFile(src) // follows links
	if err != nil {
		return err
	}
	info, err := os.Stat(src)
	if err != nil {
		return err
	}
	return putFile(l.Writer, strings.TrimPrefix(dst, "/"), info.Mode().Perm(), content)
}

func putFile(w *tar.Writer, name string, mode fs.FileMode, content []byte) error {
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(mode), Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

package steward

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

const (
	maxPacked   = 1 << 30 // bytes of an artifact
	maxUnpacked = 4 << 30
	maxFiles    = 100_000
	fetchTime   = 10 * time.Minute
)

var pinned = regexp.MustCompile(`^(.+)@sha256:([0-9a-f]{64})$`)

// artifacts are unpacked ones, each in a folder whose name is its digest.
type artifacts struct {
	dir    string
	client *http.Client
	mu     sync.Mutex // one is fetched at a time
}

// artifact is where an image is to be fetched from; nil: it is no artifact, but a name.
func artifact(image string) (from *url.URL, digest string, err error) {
	if !strings.HasPrefix(image, "https://") && !strings.HasPrefix(image, "file://") {
		return nil, "", nil
	}
	parts := pinned.FindStringSubmatch(image)
	if parts == nil {
		return nil, "", fmt.Errorf("%w: artifact %s: name it by its digest: %s@sha256:DIGEST, as sha256sum prints it", errRefused, image, image)
	}
	if from, err = address(parts[1]); err != nil {
		return nil, "", fmt.Errorf("%w: artifact %w", errRefused, err)
	}
	return from, parts[2], nil
}

// get is the folder of an artifact, which is fetched if it is not there.
func (a *artifacts) get(ctx context.Context, from *url.URL, digest string) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	there := filepath.Join(a.dir, digest)
	if _, err := os.Stat(there); err == nil {
		return there, nil
	}
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(a.dir, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	packed, tree := filepath.Join(work, "packed"), filepath.Join(work, "tree")
	if err := a.fetch(ctx, from, digest, packed); err != nil {
		return "", fmt.Errorf("artifact %s: %w", from, err)
	}
	if err := unpack(packed, tree); err != nil {
		return "", fmt.Errorf("%w: artifact %s: %w", errRefused, from, err)
	}
	return there, os.Rename(tree, there)
}

// fetch writes the bytes that have the digest.
func (a *artifacts) fetch(ctx context.Context, from *url.URL, digest, to string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTime)
	defer cancel()
	body, err := a.open(ctx, from)
	if err != nil {
		return err
	}
	defer body.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(body, maxPacked+1))
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	if n > maxPacked {
		return fmt.Errorf("%w: it has more than %d bytes", errRefused, int64(maxPacked))
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest {
		return fmt.Errorf("%w: its digest is sha256:%s, and not sha256:%s: it is not what was released", errRefused, got, digest)
	}
	return nil
}

func (a *artifacts) open(ctx context.Context, from *url.URL) (io.ReadCloser, error) {
	if from.Scheme == "file" {
		return os.Open(from.Path)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from.String(), nil)
	if err != nil {
		return nil, err
	}
	answer, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("the answer is %s", answer.Status)
	}
	return answer.Body, nil
}

// unpack makes files and folders of a .tar.gz; a link, or whatever else, is refused.
func unpack(packed, tree string) error {
	file, err := os.Open(packed)
	if err != nil {
		return err
	}
	defer file.Close()
	plain, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("it is no .tar.gz: %w", err)
	}
	if err := os.Mkdir(tree, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(tree) // nothing is written outside
	if err != nil {
		return err
	}
	defer root.Close()
	limited := &io.LimitedReader{R: plain, N: maxUnpacked}
	entries := tar.NewReader(limited)
	for n := 0; ; n++ {
		header, err := entries.Next()
		switch {
		case limited.N <= 0 || n > maxFiles:
			return fmt.Errorf("unpacked it has more than %d bytes or %d files", int64(maxUnpacked), maxFiles)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if err := put(root, header, entries); err != nil {
			return fmt.Errorf("%.200q: %w", header.Name, err)
		}
	}
}

func put(root *os.Root, header *tar.Header, content io.Reader) error {
	name := filepath.Clean(header.Name)
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeReg:
	default:
		return errors.New("it is neither a file nor a folder; tar --dereference packs what links lead to")
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if header.Mode&0o111 != 0 {
		mode = 0o755
	}
	file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// forget removes the artifacts that nobody needs any more.
func (a *artifacts) forget(needed map[string]bool) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	entries, err := os.ReadDir(a.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		if !needed[entry.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(a.dir, entry.Name())))
		}
	}
	return err
}

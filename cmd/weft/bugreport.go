package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"weft.dev/api"
	"weft.dev/metrics/series"
	"weft.dev/redact"
	"weft.dev/web"
)

const (
	maxReported = 8 << 20  // bytes of one file of the archive
	maxReport   = 64 << 20 // of all of them
	reportTime  = time.Minute
)

func newBugReport() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "bug-report",
		Short: "Pack what a bug's report needs, without secrets, into one file",
		Long: `Ask the server for what whoever looks for a bug needs, and write it to one .tar.gz: versions, status, problems, workloads,
proxies, who calls whom, the objects, the server's metrics, its last log lines and its goroutines. What is not to be had, says why in its place.

Secrets are taken out before anything is written: the content of Secrets and ConfigMaps, header values, environments, arguments,
bodies, annotations, queries and credentials in URLs, and whatever looks like a key or token. Look at it all the same before you send it: names of
services, hosts and paths are in it. Nothing is sent.`,
		Example: "  weft bug-report\n  weft bug-report --file /tmp/report.tar.gz",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if out == "" {
				out = "weft-bug-report-" + time.Now().UTC().Format("20060102-150405") + ".tar.gz"
			}
			server, err := connect(c)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), reportTime)
			defer cancel()
			file, err := os.OpenFile(out, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return fmt.Errorf("%w; name another one with --file", err)
			}
			defer file.Close()
			if err := writeReport(file, reported(ctx, c, server), c.OutOrStdout()); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), out)
			return file.Close()
		},
	}
	c.Flags().StringVar(&out, "file", "", "where to write it (default: weft-bug-report-TIME.tar.gz here)")
	return c
}

// part is a file of the archive.
type part struct {
	name string
	read func() ([]byte, error)
}

func reported(ctx context.Context, c *cobra.Command, mesh *server) []part {
	parts := []part{{"versions.json", func() ([]byte, error) {
		return json.MarshalIndent(map[string]string{"client": version(), "go": runtime.Version(), "system": runtime.GOOS + "/" + runtime.GOARCH}, "", "  ")
	}}}
	for _, path := range []string{"status", "problems", "workloads", "proxies", "edges", "releases"} {
		parts = append(parts, part{path + ".json", func() ([]byte, error) {
			var value any
			if err := mesh.get(ctx, path, nil, &value); err != nil {
				return nil, err
			}
			return json.MarshalIndent(redact.Object(value), "", " ")
		}})
	}
	for _, text := range []struct{ name, path string }{{"log.txt", web.DebugLog}, {"goroutines.txt", web.DebugGoroutines}} {
		parts = append(parts, part{text.name, func() ([]byte, error) { return mesh.text(ctx, http.MethodPost, text.path) }})
	}
	parts = append(parts, part{"metrics.txt", func() ([]byte, error) {
		of := *mesh
		of.base = strings.TrimSuffix(of.base, web.Prefix) + series.Prefix + "/"
		return of.text(ctx, http.MethodGet, "scrape")
	}})
	if plainServer(c) != "" {
		return parts // its objects are files of whoever asks
	}
	objects := sync.OnceValues(func() (*server, error) { return apiServer(c) })
	for _, info := range api.Kinds() {
		parts = append(parts, part{"objects/" + info.Resource + "." + info.Version.Group + ".json", func() ([]byte, error) {
			from, err := objects()
			if err != nil {
				return nil, err
			}
			return objectsOfKind(ctx, from, info)
		}})
	}
	return parts
}

// apiServer answers what is asked below its root.
func apiServer(c *cobra.Command) (*server, error) {
	config, err := restConfig(c)
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(config)
	return &server{base: strings.TrimSuffix(config.Host, "/") + "/", client: client}, err
}

// objectsOfKind are all that there are, without their secrets.
func objectsOfKind(ctx context.Context, from *server, info api.Info) ([]byte, error) {
	group := "apis/" + info.Version.Group
	if info.Version.Group == "" {
		group = "api"
	}
	var list struct{ Items []any }
	if err := from.get(ctx, group+"/"+info.Version.Version+"/"+info.Resource, nil, &list); err != nil {
		return nil, err
	}
	return json.MarshalIndent(redact.Object(any(list.Items)), "", " ")
}

// text is an answer that is none in JSON.
func (s *server) text(ctx context.Context, method, path string) ([]byte, error) {
	response, err := s.send(ctx, method, path, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReported))
	return []byte(redact.Text(string(text))), err
}

// writeReport packs the parts, and says what there is.
func writeReport(to io.Writer, parts []part, said io.Writer) error {
	packed := gzip.NewWriter(to)
	archive, size := tar.NewWriter(packed), 0
	for _, p := range parts {
		content, err := p.read()
		if err != nil {
			p.name, content = p.name+".missing", []byte(redact.Text(err.Error())+"\n")
		}
		if more := max(0, min(maxReported, maxReport-size)); len(content) > more {
			content = append(content[:more:more], "\n... and more, which is left out"...)
		}
		size += len(content)
		if err := archive.WriteHeader(&tar.Header{Name: "weft-bug-report/" + p.name, Mode: 0o600, Size: int64(len(content)), ModTime: time.Now()}); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
		fmt.Fprintf(said, "%8d  %s\n", len(content), p.name)
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return packed.Close()
}

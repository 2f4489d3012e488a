package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"weft.dev/identity"
	"weft.dev/web"
)

// restConfig finds the server: --kubeconfig, $WEFT_KUBECONFIG, else the admin's
// in the data directory, else what kubectl would take.
func restConfig(c *cobra.Command) (*rest.Config, error) {
	if own := configIn(c); own != nil {
		return rest.CopyConfig(own), nil
	}
	if address := plainServer(c); address != "" {
		return nil, exitCode{exitUsage, fmt.Errorf("server %s: it has no API server, which this needs; write a file into its folder", address)}
	}
	path, _ := c.Flags().GetString("kubeconfig")
	if path == "" {
		path = os.Getenv("WEFT_KUBECONFIG")
	}
	if own := filepath.Join(identity.DataDir(), "admin.kubeconfig"); path == "" && isFile(own) {
		path = own
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules() // $KUBECONFIG, and the one in the home directory
	rules.ExplicitPath = path
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, exitCode{exitUsage, fmt.Errorf("kubeconfig %s: %w; name one with --kubeconfig or $WEFT_KUBECONFIG", path, err)}
	}
	config.QPS, config.Burst = 100, 200
	return config, nil
}

// configKey is that of a client's configuration in a context: who asks is known before, and no flag or file says it.
type configKey struct{}

func withConfig(ctx context.Context, config *rest.Config) context.Context {
	config.QPS, config.Burst = 100, 200
	return context.WithValue(ctx, configKey{}, config)
}

func configIn(c *cobra.Command) *rest.Config {
	config, _ := c.Context().Value(configKey{}).(*rest.Config)
	return config
}

func isFile(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// plainServer is a server without an API server: --server, $WEFT_SERVER, else "".
func plainServer(c *cobra.Command) string {
	if configIn(c) != nil {
		return ""
	}
	address, _ := c.Flags().GetString("server")
	return strings.TrimSuffix(cmp.Or(address, os.Getenv("WEFT_SERVER")), "/")
}

// server is the JSON API of a running `weft serve`.
type server struct {
	base   string
	client *http.Client
	secret string // where there is no sign-in
	token  string // where weft runs in a cluster
}

func connect(c *cobra.Command) (*server, error) {
	if address := plainServer(c); address != "" {
		secret, _ := identity.Dir(identity.DataDir()).Read(secretFile) // who cannot read it is told by the server
		return &server{base: address + web.Prefix, client: http.DefaultClient, secret: string(secret)}, nil
	}
	config, err := restConfig(c)
	if err != nil {
		return nil, err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	return inCluster(c.Context(), &server{base: config.Host, client: client})
}

func (s *server) get(ctx context.Context, path string, query url.Values, into any) error {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return s.do(ctx, http.MethodGet, path, nil, into)
}

func (s *server) post(ctx context.Context, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return s.do(ctx, http.MethodPost, path, text, into)
}

const maxAnswer = 64 << 20

func (s *server) do(ctx context.Context, method, path string, body []byte, into any) error {
	response, err := s.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return exitCode{exitNoServer, fmt.Errorf("server %s: %w", s.base, err)}
	}
	return json.Unmarshal(answer, into)
}

// send returns an answer whose body is to be read, or why there is none.
func (s *server) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, s.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if s.secret != "" {
		request.Header.Set("Authorization", "Bearer "+s.secret)
	}
	if s.token != "" {
		request.Header.Set(tokenHeader, s.token)
	}
	response, err := s.client.Do(request)
	if err != nil {
		if urlErr := (*url.Error)(nil); errors.As(err, &urlErr) {
			err = urlErr.Err
		}
		return nil, exitCode{exitNoServer, fmt.Errorf("server %s: %w; is `weft serve` running?", s.base, err)}
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusCreated {
		defer response.Body.Close()
		answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return nil, exitCode{exitNoServer, fmt.Errorf("server %s: %w", s.base, err)}
		}
		return nil, refused(response, answer)
	}
	return response, nil
}

func refused(response *http.Response, answer []byte) error {
	var body struct{ Error, Message string }
	text := response.Status
	if json.Unmarshal(answer, &body) == nil && body.Error+body.Message != "" {
		text = body.Error + body.Message
	}
	if response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden {
		return exitCode{exitDenied, errors.New(text)}
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		return exitCode{exitNoServer, errors.New(text)}
	}
	if response.StatusCode == http.StatusNotFound {
		return notFound{text}
	}
	return errors.New(text)
}

// notFound is the answer 404.
type notFound struct{ text string }

func (n notFound) Error() string { return n.text }

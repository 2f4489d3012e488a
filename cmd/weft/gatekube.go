package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"weft.dev/install/chart"
	"weft.dev/store"
	"weft.dev/store/serve"
)

const (
	signInSecret = "weft-signin" // has the key of tokens and cookies, for all replicas
	signInKey    = "signin.key"
	signInKeyFor = 5 * time.Second // what was read of it is taken for what is there
)

// kubeGate is that of a cluster: its API server is asked in the name of who has signed in, which begins with the
// prefix as their groups do, so that nobody is who or in what is the cluster's own.
type kubeGate struct {
	config *rest.Config // of weft's account, which may do so
	prefix string
	shared *sharedKey
}

func (g kubeGate) whose(token string, now time.Time) (serve.Grant, error) {
	key, err := g.key()
	if err != nil {
		return serve.Grant{}, err
	}
	return serve.ReadToken(key, token, now)
}

func (g kubeGate) answers(ctx context.Context, who serve.Grant) (http.Handler, error) {
	config, err := g.as(who)
	if err != nil {
		return nil, err
	}
	handler, err := answeredAs(ctx, config)
	if coded := (exitCode{}); errors.As(err, &coded) && coded.code == exitDenied {
		err = exitCode{exitDenied, fmt.Errorf("%w; bind the Role %s of %s to %s or to one of %q", err, peopleAccount, ownNamespace(), config.Impersonate.UserName, config.Impersonate.Groups)}
	}
	return handler, err
}

// as is the configuration of a client that is somebody.
func (g kubeGate) as(who serve.Grant) (*rest.Config, error) {
	if err := checkPrefix(g.prefix); err != nil {
		return nil, err
	}
	groups, err := serve.Cleaned(who.Name, who.Groups)
	if err != nil {
		return nil, err
	}
	for i, group := range groups {
		groups[i] = g.prefix + group
	}
	config := rest.CopyConfig(g.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: g.prefix + who.Name, Groups: groups}
	return config, nil
}

// checkPrefix refuses one by which, or by the beginning of which, somebody could be who is the cluster's own.
func checkPrefix(prefix string) error {
	if len(prefix) < 2 || !strings.HasSuffix(prefix, ":") || strings.ContainsFunc(prefix, func(r rune) bool { return r <= ' ' || r >= 0x7f }) ||
		strings.HasPrefix(prefix, "system:") || strings.HasPrefix(prefix, "weft:") {
		return fmt.Errorf("--ui-prefix %q: want some letters and a colon at the end, such as sso:, that do not begin with system: or weft:", prefix)
	}
	return nil
}

func (g kubeGate) key() (serve.Key, error) { return g.shared.key() }

func (kubeGate) command() string { return "weft user token NAME --group GROUP --cluster" }

// sharedKey is the one in a Secret of weft's namespace, which is made where there is none.
type sharedKey struct {
	files *store.SecretFiles

	mu   sync.Mutex
	read time.Time
	last serve.Key
}

func newSharedKey(client *store.Client, namespace string) *sharedKey {
	return &sharedKey{files: store.NewSecretFiles(client, namespace, signInSecret)}
}

func (s *sharedKey) key() (serve.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.read) < signInKeyFor {
		return s.last, nil
	}
	var found []byte
	err := store.RetryOnConflict(func() error {
		var err error
		if found, err = s.files.Read(signInKey); errors.Is(err, fs.ErrNotExist) {
			found = serve.NewKey()
			err = s.files.Write(signInKey, found)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.last, s.read = found, time.Now()
	return s.last, nil
}

// clusterToken makes a token for people who sign in to weft in a cluster, with the rights of who reads Secrets of weft's there.
func clusterToken(client *store.Client, name string, groups []string, lasts time.Duration) (string, error) {
	key, err := newSharedKey(client, chart.Namespace).key()
	if err != nil {
		return "", fmt.Errorf("the key of tokens: %w", answered(err))
	}
	return serve.NewToken(key, name, groups, lasts)
}

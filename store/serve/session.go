package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// tokenKeyName is the file of the key that signs tokens: without it all have ended.
	tokenKeyName = "signin.key"
	tokenPrefix  = "weft-"
	// meshAuthority is the folder of the authority of workloads.
	meshAuthority = "ca"
	// maxGroups of somebody: a certificate names them all.
	maxGroups = 200
)

// Grant is who somebody is, by a token, until it ends.
type Grant struct {
	Name   string    `json:"name"`
	Groups []string  `json:"groups,omitempty"`
	Until  time.Time `json:"until"`
}

// Token is one with which somebody who is no administrator signs in to the pages of a server, of which dir is the data
// directory. It lasts for so long; before that, nobody can take back this one alone.
func Token(dir, name string, groups []string, lasts time.Duration) (string, error) {
	key, err := tokenKey(dir)
	if err != nil {
		return "", err
	}
	return NewToken(key, name, groups, lasts)
}

// NewToken is the same where the key is somewhere else.
func NewToken(key Key, name string, groups []string, lasts time.Duration) (string, error) {
	for _, text := range append([]string{name}, groups...) {
		if err := checkName(text); err != nil {
			return "", err
		}
	}
	if len(groups) > maxGroups {
		return "", fmt.Errorf("%s: %d groups, want at most %d", name, len(groups), maxGroups)
	}
	body, err := json.Marshal(Grant{name, groups, time.Now().Add(lasts).UTC().Truncate(time.Second)})
	if err != nil {
		return "", err
	}
	return tokenPrefix + key.Seal(body), nil
}

// ErrToken is why a token lets nobody in.
var ErrToken = errors.New("it is no token of this server, or has ended: weft user token makes another one")

// Whose says who is let in by a token.
func (s *Server) Whose(token string, now time.Time) (Grant, error) {
	return Whose(s.options.Dir, token, now)
}

// Whose is the same of the server whose data directory is dir.
func Whose(dir, token string, now time.Time) (Grant, error) {
	key, err := os.ReadFile(filepath.Join(dir, tokenKeyName))
	if errors.Is(err, fs.ErrNotExist) {
		return Grant{}, ErrToken
	}
	if err != nil {
		return Grant{}, err
	}
	return ReadToken(key, token, now)
}

// ReadToken says who is let in by a token that was made with the key.
func ReadToken(key Key, token string, now time.Time) (g Grant, err error) {
	body, err := key.Open(strings.TrimPrefix(token, tokenPrefix))
	if errors.Is(err, errSeal) {
		return g, ErrToken
	}
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal(body, &g); err != nil || !now.Before(g.Until) {
		return Grant{}, ErrToken
	}
	return g, nil
}

// As is the configuration of a client within this process that is somebody who is no administrator, for so
// long. Groups that are the server's own, or no names here, are left out.
func (s *Server) As(name string, groups []string, lasts time.Duration) (*rest.Config, error) {
	groups, err := Cleaned(name, groups)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	text, err := s.ca.kubeconfig(s.url, name, append(groups, peopleGroup), now, now.Add(lasts))
	if err != nil {
		return nil, err
	}
	return clientcmd.RESTConfigFromKubeConfig(text)
}

// Cleaned are the groups of somebody without those that mean something to an API server, or are no names. A name that
// does is refused.
func Cleaned(name string, groups []string) ([]string, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	groups = slices.DeleteFunc(slices.Clone(groups), func(group string) bool { return checkName(group) != nil })
	return groups[:min(len(groups), maxGroups)], nil
}

// tokenKey makes the key where there is none. Of two who do so at once one does, and both have it.
func tokenKey(dir string) (Key, error) {
	path := filepath.Join(dir, tokenKeyName)
	key, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if !isDataDir(dir) {
		return nil, fmt.Errorf("%s: no server has served this data directory; name another one", dir)
	}
	if err := makeFile(path, NewKey()); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return os.ReadFile(path)
}

// isDataDir is of a server of files, too, which has the mesh's authority alone.
func isDataDir(dir string) bool {
	return slices.ContainsFunc([]string{authorityName, meshAuthority}, func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	})
}

package serve

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
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
	minTokenKey  = 32 // bytes; by a file that was emptied anybody could make tokens
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
	for _, text := range append([]string{name}, groups...) {
		if err := checkName(text); err != nil {
			return "", err
		}
	}
	if len(groups) > maxGroups {
		return "", fmt.Errorf("%s: %d groups, want at most %d", name, len(groups), maxGroups)
	}
	key, err := tokenKey(dir)
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(Grant{name, groups, time.Now().Add(lasts).UTC().Truncate(time.Second)})
	if err != nil {
		return "", err
	}
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(body) + "." + base64.RawURLEncoding.EncodeToString(seal(key, body)), nil
}

// ErrToken is why a token lets nobody in.
var ErrToken = errors.New("it is no token of this server, or has ended: weft user token makes another one")

// Whose says who is let in by a token.
func (s *Server) Whose(token string, now time.Time) (Grant, error) {
	key, err := os.ReadFile(filepath.Join(s.options.Dir, tokenKeyName))
	if errors.Is(err, fs.ErrNotExist) {
		return Grant{}, ErrToken
	}
	if err != nil {
		return Grant{}, err
	}
	if len(key) < minTokenKey {
		return Grant{}, fmt.Errorf("%s: %d bytes are no key: remove it, and weft user token makes another one", tokenKeyName, len(key))
	}
	payload, signature, _ := strings.Cut(strings.TrimPrefix(token, tokenPrefix), ".")
	body, err := base64.RawURLEncoding.DecodeString(payload)
	given, err2 := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || err2 != nil || !hmac.Equal(given, seal(key, body)) {
		return Grant{}, ErrToken
	}
	var g Grant
	if err := json.Unmarshal(body, &g); err != nil || !now.Before(g.Until) {
		return Grant{}, ErrToken
	}
	return g, nil
}

// As is the configuration of a client within this process that is somebody who is no administrator, for so
// long. Groups that are the server's own, or no names here, are left out.
func (s *Server) As(name string, groups []string, lasts time.Duration) (*rest.Config, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	groups = slices.DeleteFunc(slices.Clone(groups), func(group string) bool { return checkName(group) != nil })
	groups = append(groups[:min(len(groups), maxGroups)], peopleGroup)
	now := time.Now()
	text, err := s.ca.kubeconfig(s.url, name, groups, now, now.Add(lasts))
	if err != nil {
		return nil, err
	}
	return clientcmd.RESTConfigFromKubeConfig(text)
}

func seal(key, body []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(body)
	return m.Sum(nil)
}

// tokenKey makes the key where there is none.
func tokenKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, tokenKeyName)
	key, err := os.ReadFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if !isDataDir(dir) {
		return nil, fmt.Errorf("%s: no server has served this data directory; name another one", dir)
	}
	key = []byte(rand.Text() + rand.Text())
	return key, writeFile(path, key)
}

func isDataDir(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, authorityName))
	return err == nil
}

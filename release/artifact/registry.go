package artifact

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// maxTags is how many tags of a repository are read.
const maxTags = 50_000

// Repository is one of a registry.
type Repository struct {
	Host, Path string
	Insecure   bool // without TLS
	Login      Login
}

var (
	pathShape = regexp.MustCompile(`^[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)
	tagShape  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	hostShape = regexp.MustCompile(`^[A-Za-z0-9.-]+(:[0-9]+)?$`)
)

// ParseRepository reads HOST/PATH.
func ParseRepository(text string) (Repository, error) {
	host, path, ok := strings.Cut(text, "/")
	if !ok || !hostShape.MatchString(host) || !pathShape.MatchString(path) {
		return Repository{}, fmt.Errorf("repository %q: want HOST/PATH without a tag, such as registry.example.com/shop/cart", text)
	}
	return Repository{Host: host, Path: path}, nil
}

func (r Repository) String() string { return r.Host + "/" + r.Path }

func (r Repository) scheme() string {
	if r.Insecure {
		return "http"
	}
	return "https"
}

// Tags are all of a repository's, sorted.
func (c *Client) Tags(ctx context.Context, r Repository) ([]string, error) {
	base := &url.URL{Scheme: r.scheme(), Host: r.Host, Path: "/v2/" + r.Path + "/tags/list", RawQuery: "n=1000"}
	session := &session{client: c, of: r}
	var all []string
	for at := base; at != nil; {
		page, next, err := session.tags(ctx, at)
		if err != nil {
			return nil, fmt.Errorf("tags of %s: %w", r, err)
		}
		if all = append(all, page...); len(all) > maxTags {
			return nil, fmt.Errorf("tags of %s: there are more than %d: remove old ones", r, maxTags)
		}
		at = next
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Digest is what a tag is now: sha256:HEX.
func (c *Client) Digest(ctx context.Context, r Repository, tag string) (string, error) {
	if !tagShape.MatchString(tag) {
		return "", fmt.Errorf("image %s: %q is no tag", r, tag)
	}
	session := &session{client: c, of: r}
	answer, err := session.ask(ctx, http.MethodHead, fmt.Sprintf("%s://%s/v2/%s/manifests/%s", r.scheme(), r.Host, r.Path, tag))
	if err != nil {
		return "", fmt.Errorf("image %s:%s: %w", r, tag, err)
	}
	defer answer.Body.Close()
	digest := answer.Header.Get("Docker-Content-Digest")
	if !digestShape.MatchString(digest) {
		return "", fmt.Errorf("image %s:%s: the registry does not say its digest", r, tag)
	}
	return digest, nil
}

var digestShape = regexp.MustCompile(`^[a-z0-9]+:[0-9a-f]{32,128}$`)

// session is one question, and the token that it needs.
type session struct {
	client *Client
	of     Repository
	token  string
}

func (s *session) tags(ctx context.Context, at *url.URL) (tags []string, next *url.URL, err error) {
	answer, err := s.ask(ctx, http.MethodGet, at.String())
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	var page struct{ Tags []string }
	if err := json.NewDecoder(answer.Body).Decode(&page); err != nil {
		return nil, nil, fmt.Errorf("its answer is no list of tags: %w", err)
	}
	page.Tags = slices.DeleteFunc(page.Tags, func(tag string) bool { return !tagShape.MatchString(tag) })
	link, rest, ok := strings.Cut(strings.TrimPrefix(answer.Header.Get("Link"), "<"), ">")
	if !ok || !strings.Contains(rest, `rel="next"`) {
		return page.Tags, nil, nil
	}
	next, err = at.Parse(link)
	if err != nil || next.String() == at.String() || len(page.Tags) == 0 {
		return nil, nil, errors.New("its next page is none")
	}
	next.Scheme, next.Host = at.Scheme, at.Host // behind a proxy it may not know its own name; and nowhere else
	return page.Tags, next, nil
}

// ask asks, and once more with what the registry wants to have seen.
func (s *session) ask(ctx context.Context, method, address string) (*http.Response, error) {
	header := http.Header{"Accept": {strings.Join(manifests, ", ")}}
	if s.token != "" {
		header.Set("Authorization", s.token)
	}
	answer, err := s.client.do(ctx, method, address, header.Clone())
	if err == nil && answer.StatusCode == http.StatusUnauthorized && s.token == "" {
		answer.Body.Close()
		if s.token, err = s.prove(ctx, answer.Header.Get("WWW-Authenticate")); err == nil {
			header.Set("Authorization", s.token)
			answer, err = s.client.do(ctx, method, address, header)
		}
	}
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		defer answer.Body.Close()
		return nil, unexpected(answer)
	}
	return answer, nil
}

// manifests are the kinds whose digest is the image's.
var manifests = []string{
	"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
	"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json",
}

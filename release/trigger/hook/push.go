package hook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Push is that a branch came to a commit.
type Push struct {
	Branch, Commit string
	Author         string   // who pushed, by the name that the forge knows them by
	URLs           []string // of the repository
	Files          []string // that it touched
	Partial        bool     // there are more files
}

// ErrNothing is wrapped by what ParsePush says of a delivery that is no push of a branch.
var ErrNothing = errors.New("there is nothing to start")

// events is where each forge says what it delivers, and its word for a push.
var events = map[string]struct{ header, push string }{
	GitHub: {"X-GitHub-Event", "push"},
	GitLab: {"X-Gitlab-Event", "Push Hook"},
	Gitea:  {"X-Gitea-Event", "push"},
}

// said is what is read of a delivery; the forges' fields are side by side.
type said struct {
	Ref     string `json:"ref"`
	After   string `json:"after"`
	Deleted bool   `json:"deleted"`
	Pusher  struct {
		Name     string `json:"name"`     // GitHub
		Login    string `json:"login"`    // Gitea
		Username string `json:"username"` // Gitea, too
	} `json:"pusher"`
	Sender struct {
		Login string `json:"login"`
	} `json:"sender"`
	User       string `json:"user_username"` // GitLab
	Repository struct {
		Clone string `json:"clone_url"`    // GitHub, Gitea
		SSH   string `json:"ssh_url"`      // the same
		HTTP  string `json:"git_http_url"` // GitLab
		Git   string `json:"git_ssh_url"`  // the same
	} `json:"repository"`
	Commits []struct {
		Added, Modified, Removed []string
	} `json:"commits"`
	Total *int `json:"total_commits_count"` // GitLab; it lists 20
	Count *int `json:"total_commits"`       // Gitea
}

// maxListed is how many commits GitHub lists, which does not say how many there are.
const maxListed = 2048

// ParsePush reads a delivery that was verified.
func ParsePush(from string, header http.Header, body []byte) (Push, error) {
	event := events[from]
	if got := header.Get(event.header); got != event.push {
		return Push{}, fmt.Errorf("%w: it is %q, and no push", ErrNothing, got)
	}
	if strings.HasPrefix(header.Get("Content-Type"), "application/x-www-form-urlencoded") { // GitHub's other way
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return Push{}, errors.New("the delivery is no form")
		}
		body = []byte(form.Get("payload"))
	}
	var s said
	if err := json.Unmarshal(body, &s); err != nil {
		return Push{}, fmt.Errorf("the delivery is no JSON of %s: %w", from, err)
	}
	branch, ok := strings.CutPrefix(s.Ref, "refs/heads/")
	switch {
	case !ok:
		return Push{}, fmt.Errorf("%w: %q is no branch", ErrNothing, s.Ref)
	case s.Deleted || strings.Trim(s.After, "0") == "":
		return Push{}, fmt.Errorf("%w: branch %s was deleted", ErrNothing, branch)
	}
	return s.push(from, branch), nil
}

func (s said) push(from, branch string) Push {
	p := Push{Branch: branch, Commit: s.After}
	r := s.Repository
	switch from {
	case GitHub:
		p.Author, p.URLs = s.Pusher.Name, []string{r.Clone, r.SSH}
		p.Partial = len(s.Commits) >= maxListed
	case Gitea:
		p.Author, p.URLs = first(s.Pusher.Login, s.Pusher.Username, s.Sender.Login), []string{r.Clone, r.SSH}
		p.Partial = s.Count != nil && *s.Count > len(s.Commits)
	case GitLab:
		p.Author, p.URLs = s.User, []string{r.HTTP, r.Git}
		p.Partial = s.Total != nil && *s.Total > len(s.Commits)
	}
	for _, c := range s.Commits {
		p.Files = slices.Concat(p.Files, c.Added, c.Modified, c.Removed)
	}
	p.Partial = p.Partial || len(s.Commits) == 0 // a new branch, or a forced push
	return p
}

func first(all ...string) string {
	for _, one := range all {
		if one != "" {
			return one
		}
	}
	return ""
}

// Same says whether the push is to the repository with this URL, however it is written.
func (p Push) Same(address string) bool {
	return slices.ContainsFunc(p.URLs, func(one string) bool { return one != "" && plainURL(one) == plainURL(address) })
}

// plainURL is HOST/PATH of a repository's address.
func plainURL(address string) string {
	if !strings.Contains(address, "://") { // ssh's USER@HOST:PATH
		host, path, _ := strings.Cut(address, ":")
		address = "ssh://" + host + "/" + path
	}
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return strings.ToLower(u.Hostname() + "/" + strings.Trim(strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".git"), "/"))
}

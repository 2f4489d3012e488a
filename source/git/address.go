package git

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// address is where a repository is, and what nobody is told of it.
type address struct {
	url     string
	shown   string   // url without what may be secret
	secrets []string // parts of url, longest first
}

// parseAddress takes what git takes: https://, ssh://, HOST:PATH, a path. Its
// errors do not show the text, since there may be a password in it.
func parseAddress(text string) (address, error) {
	a := address{url: text, shown: text}
	if text == "" || strings.HasPrefix(text, "-") {
		return a, errors.New("the URL of the repository is empty or begins with -; give one such as https://HOST/PATH")
	}
	if !strings.Contains(text, "://") {
		return a, nil // ssh's HOST:PATH has no password, nor has a path
	}
	u, err := url.Parse(text)
	if err != nil {
		return a, errors.New("the URL of the repository cannot be read; write special characters of user and password as %XX")
	}
	if u.User == nil && u.RawQuery == "" {
		return a, nil
	}
	_, rest, _ := strings.Cut(text, "://")
	authority, _, _ := strings.Cut(rest, "/")
	a.secrets = append(a.secrets, authority[:strings.LastIndex(authority, "@")+1])
	if password, ok := u.User.Password(); ok {
		a.hide(password)
	} else if u.Scheme != "ssh" {
		a.hide(u.User.Username()) // some servers take a token as the user
	}
	a.hide(u.RawQuery)
	u.User, u.RawQuery = nil, ""
	a.shown = u.String()
	return a, nil
}

func (a *address) hide(secret string) {
	a.secrets = append(a.secrets, secret, url.QueryEscape(secret), url.PathEscape(secret))
}

// redact is a text that may be shown: what git says may have all of the URL in it.
func (a *address) redact(text string) string {
	text = strings.ReplaceAll(text, a.url, a.shown)
	for _, secret := range a.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "")
		}
	}
	return text
}

// checkRef refuses what git would take for something else than one ref.
func checkRef(ref string) error {
	if ref == "" || strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, " :+*?[\\^~\x00\n") {
		return fmt.Errorf("ref %q is none; name a branch, a tag, or refs/...", ref)
	}
	return nil
}

// cleanDir is a folder of the repository, "." if it is all of it.
func cleanDir(dir string) (string, error) {
	clean := path.Clean(dir)
	if !filepath.IsLocal(filepath.FromSlash(clean)) {
		return "", fmt.Errorf("folder %q leads out of the repository; name one in it, such as deploy/mesh", dir)
	}
	return clean, nil
}

package artifact

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Branches are those of a repository, with their commits, as git ls-remote --heads
// lists them over HTTP. The git of this machine is not asked: it would connect to
// anything, and with the logins that it has.
func (c *Client) Branches(ctx context.Context, address string, login Login) (map[string]string, error) {
	at, err := ParseGit(address)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	if (login != Login{}) {
		header.Set("Authorization", login.basic())
	}
	answer, err := c.do(ctx, http.MethodGet, strings.TrimSuffix(at.String(), "/")+"/info/refs?service=git-upload-pack", header)
	if err != nil {
		return nil, fmt.Errorf("branches of %s: %w", at, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("branches of %s: %w", at, unexpected(answer))
	}
	if answer.Header.Get("Content-Type") != "application/x-git-upload-pack-advertisement" {
		return nil, fmt.Errorf("branches of %s: it answers, and not as git does: is this the address that git clones?", at)
	}
	heads, err := readHeads(bufio.NewReader(answer.Body))
	if err != nil {
		return nil, fmt.Errorf("branches of %s: %w", at, err)
	}
	return heads, nil
}

// ParseGit reads the address of a repository: http or https, and no login in it.
func ParseGit(address string) (*url.URL, error) {
	at, err := url.Parse(address)
	switch {
	case err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http":
		return nil, errors.New("the url of the repository is none: want https://HOST/PATH")
	case at.User != nil || at.RawQuery != "" || at.Fragment != "":
		return nil, errors.New("the url of the repository has a login or a query in it: name a Secret with username and password")
	}
	return at, nil
}

var commitShape = regexp.MustCompile(`^[0-9a-f]{40}([0-9a-f]{24})?$`)

// readHeads reads git's lines: each has its length before it, and a list ends with a length of 0.
func readHeads(from *bufio.Reader) (map[string]string, error) {
	heads := map[string]string{}
	for lists := 0; lists < 2; {
		line, err := readLine(from)
		if err != nil {
			return nil, fmt.Errorf("git's answer is cut off: %w", err)
		}
		if line == "" {
			lists++ // the first one names the service
			continue
		}
		line, _, _ = strings.Cut(line, "\x00") // what the server can
		commit, ref, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok && commitShape.MatchString(commit) {
			heads[name] = commit
		}
	}
	return heads, nil
}

// readLine is "" for the end of a list.
func readLine(from *bufio.Reader) (string, error) {
	var size [4]byte
	if _, err := io.ReadFull(from, size[:]); err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(string(size[:]), 16, 16)
	if err != nil || n > 0 && n <= 4 {
		return "", errors.New("a line has no length")
	}
	if n == 0 {
		return "", nil
	}
	line := make([]byte, n-4)
	_, err = io.ReadFull(from, line)
	return string(line), err
}

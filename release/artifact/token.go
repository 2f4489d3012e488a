package artifact

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// prove is the Authorization header that a registry's challenge asks for.
func (s *session) prove(ctx context.Context, challenge string) (string, error) {
	scheme, rest, _ := strings.Cut(challenge, " ")
	switch {
	case strings.EqualFold(scheme, "Basic") && s.of.Login != Login{}:
		return s.of.Login.basic(), nil
	case strings.EqualFold(scheme, "Bearer"):
		return s.fetch(ctx, parameters(rest))
	}
	return "", refusal("it wants to know who asks: give a Secret with username and password")
}

func (l Login) basic() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(l.Username+":"+l.Password))
}

// fetch gets a token from where the registry says.
func (s *session) fetch(ctx context.Context, wants map[string]string) (string, error) {
	realm, err := url.Parse(wants["realm"])
	if err != nil || realm.Host == "" || realm.Scheme != "https" && !(s.of.Insecure && realm.Scheme == "http") {
		return "", fmt.Errorf("it sends for a token to an address that is none, or not secure")
	}
	query := realm.Query()
	for _, name := range []string{"service", "scope"} {
		if wants[name] != "" {
			query.Set(name, wants[name])
		}
	}
	realm.RawQuery = query.Encode()
	header := http.Header{}
	if (s.of.Login != Login{}) {
		header.Set("Authorization", s.of.Login.basic())
	}
	answer, err := s.client.do(ctx, http.MethodGet, realm.String(), header)
	if err != nil {
		return "", fmt.Errorf("token from %s: %w", realm.Host, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("token from %s: %w", realm.Host, unexpected(answer))
	}
	var got struct {
		Token  string `json:"token"`
		Access string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got.Token+got.Access == "" {
		return "", fmt.Errorf("token from %s: its answer has none", realm.Host)
	}
	return "Bearer " + cmp.Or(got.Token, got.Access), nil
}

// parameters reads name="value",name="value".
func parameters(text string) map[string]string {
	all := map[string]string{}
	for text != "" {
		name, rest, ok := strings.Cut(text, `="`)
		if !ok {
			break
		}
		value, after, _ := strings.Cut(rest, `"`)
		all[strings.ToLower(strings.Trim(name, ", "))] = value
		text = after
	}
	return all
}

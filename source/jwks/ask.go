package jwks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weft.dev/dial"
	"weft.dev/model"
)

const attemptTime = 10 * time.Second // with all that leads there

// asker asks for keys, at the addresses that the guard allows.
type asker struct{ client *http.Client }

// keys are those of a source, as model.ParseKeys gives them.
func (a asker) keys(ctx context.Context, s model.KeySource) (string, error) {
	within := attemptTime
	if s.Timeout > 0 {
		within = min(within, s.Timeout)
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	uri, err := s.URI, error(nil)
	if s.Issuer != "" {
		if uri, err = a.described(ctx, s); err != nil {
			return "", fmt.Errorf("%s: %w", s.URI, dial.InWords(err, within))
		}
	}
	body, err := a.get(ctx, uri)
	if err != nil {
		return "", fmt.Errorf("%s: %w", uri, dial.InWords(err, within))
	}
	keys, _, err := model.ParseKeys(body)
	if err != nil {
		return "", fmt.Errorf("%s: %w", uri, err)
	}
	return keys, nil
}

// described is where an issuer says that its keys are.
func (a asker) described(ctx context.Context, s model.KeySource) (string, error) {
	body, err := a.get(ctx, s.URI)
	if err != nil {
		return "", err
	}
	var said struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	bad := json.Unmarshal(body, &said)
	switch to, err := url.Parse(said.Keys); {
	case bad != nil || said.Keys == "":
		return "", errors.New("it is no description of an issuer, a JSON object with jwks_uri")
	case said.Issuer != s.Issuer:
		return "", fmt.Errorf("it describes the issuer %.100q, not %q", said.Issuer, s.Issuer)
	case err != nil || strings.HasPrefix(s.URI, "https:") && to.Scheme != "https":
		return "", errors.New("its jwks_uri is no URL with https://")
	}
	return said.Keys, nil
}

func (a asker) get(ctx context.Context, uri string) ([]byte, error) {
	return dial.Get(ctx, a.client, uri, "application/json", model.MaxKeySet)
}

package hook

import (
	"errors"
	"net/http"
	"testing"
)

// TestNoSecret: who knows nothing does not know an empty secret, whoever they say they are.
func TestNoSecret(t *testing.T) {
	for from, header := range map[string]http.Header{
		GitHub: {"X-Hub-Signature-256": {"sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"}}, // HMAC of nothing by nothing
		Gitea:  {"X-Gitea-Signature": {"b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"}},
		GitLab: {"X-Gitlab-Token": {""}},
		Plain:  {"Authorization": {"Bearer "}},
		"else": {"Authorization": {"Bearer "}},
	} {
		if err := Verify(from, header, nil, nil); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v", from, err)
		}
	}
}

func TestSame(t *testing.T) {
	p := Push{URLs: []string{"git@Host.example.com:shop/cart.git", "https://host.example.com/shop/cart.git"}}
	for address, want := range map[string]bool{
		"https://host.example.com/shop/cart":              true,
		"https://user@HOST.example.com/shop/cart/":        true,
		"ssh://git@host.example.com:22/shop/cart.git":     true,
		"git@host.example.com:shop/cart":                  true,
		"https://host.example.com/shop/cart2":             false,
		"https://other.example.com/shop/cart":             false,
		"https://host.example.com.evil.example/shop/cart": false,
		"": false,
	} {
		if p.Same(address) != want {
			t.Errorf("%q: %v", address, !want)
		}
	}
}

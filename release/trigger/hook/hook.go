// Package hook reads what forges and others deliver: whose it is, and what it says.
//
// Verify comes first, on the bytes as they came: nothing of a delivery is parsed
// before it. Input: headers, bytes, a secret. Output: a push. It does no I/O.
package hook

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
)

// MaxBody is how long a delivery may be, bytes.
const MaxBody = 1 << 20

// Who delivers. Plain is anybody who knows the secret.
const (
	GitHub = "github"
	GitLab = "gitlab"
	Gitea  = "gitea"
	Plain  = "plain"
)

// Errors of Verify.
var (
	ErrUnsigned = errors.New("the delivery does not prove that it knows the secret")
	ErrForged   = errors.New("the delivery knows another secret")
)

// Verify says whether a delivery knows the secret: by an HMAC of its body, or, as
// GitLab does and others may, by naming it. It compares in constant time.
func Verify(from string, header http.Header, body, secret []byte) error {
	if len(secret) == 0 {
		return ErrForged
	}
	switch from {
	case GitHub:
		return signed(header.Get("X-Hub-Signature-256"), "sha256=", body, secret)
	case Gitea:
		return signed(header.Get("X-Gitea-Signature"), "", body, secret)
	case GitLab:
		return named(header.Get("X-Gitlab-Token"), secret)
	case Plain:
		if signature := header.Get("X-Weft-Signature"); signature != "" {
			return signed(signature, "sha256=", body, secret)
		}
		scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return ErrUnsigned
		}
		return named(token, secret)
	}
	return ErrForged
}

func signed(signature, prefix string, body, secret []byte) error {
	if signature == "" {
		return ErrUnsigned
	}
	text, ok := strings.CutPrefix(signature, prefix)
	given, err := hex.DecodeString(text)
	mac := hmac.New(sha256.New, secret)
	mac.Write(body)
	if !ok || err != nil || !hmac.Equal(given, mac.Sum(nil)) {
		return ErrForged
	}
	return nil
}

func named(token string, secret []byte) error {
	if token == "" {
		return ErrUnsigned
	}
	given, want := sha256.Sum256([]byte(token)), sha256.Sum256(secret) // of one length
	if subtle.ConstantTimeCompare(given[:], want[:]) != 1 {
		return ErrForged
	}
	return nil
}

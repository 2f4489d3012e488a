package serve

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Key signs what comes back from people and their browsers: nobody without it can make that.
type Key []byte

const minKey = 32 // bytes; by one that was emptied anybody could

var errSeal = errors.New("it was not made here")

// NewKey is one that nobody has.
func NewKey() Key { return Key(rand.Text() + rand.Text()) }

// Seal is a text that has the body, for everybody to read.
func (k Key) Seal(body []byte) string {
	return base64.RawURLEncoding.EncodeToString(body) + "." + base64.RawURLEncoding.EncodeToString(k.sign(body))
}

// Open is the body of a text that was made with this key.
func (k Key) Open(text string) ([]byte, error) {
	if len(k) < minKey {
		return nil, fmt.Errorf("%s: %d bytes are no key: remove it, and weft user token makes another one", tokenKeyName, len(k))
	}
	payload, signature, _ := strings.Cut(text, ".")
	body, err := base64.RawURLEncoding.DecodeString(payload)
	given, err2 := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || err2 != nil || !hmac.Equal(given, k.sign(body)) {
		return nil, errSeal
	}
	return body, nil
}

func (k Key) sign(body []byte) []byte {
	m := hmac.New(sha256.New, k)
	m.Write(body)
	return m.Sum(nil)
}

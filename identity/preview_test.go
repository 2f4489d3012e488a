package identity_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/identity"
	"weft.dev/model"
)

func openPreviews(t *testing.T, dir string, c *clock) *identity.Previews {
	t.Helper()
	p, err := identity.OpenPreviews(identity.Dir(dir), c.now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func signed(t *testing.T, p *identity.Previews, lasts time.Duration) string {
	t.Helper()
	token, _, err := p.Sign(map[string]string{"shop.example": "reviews.shop=v3"}, lasts)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// holds says whether one of the keys verifies a token, as RFC 7515 and 7518 have it.
func holds(t *testing.T, keys []model.PreviewKey, token string) bool {
	t.Helper()
	parts := strings.Split(token, ".")
	var head struct{ Alg, Kid string }
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(raw, &head) != nil || head.Alg != "ES256" {
		t.Fatalf("head %s", raw)
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		t.Fatalf("a signature of %d bytes: %v", len(signature), err)
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return slices.ContainsFunc(keys, func(k model.PreviewKey) bool {
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, k.X, k.Y))
		if err != nil {
			t.Fatal(err)
		}
		return k.ID == head.Kid && ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	})
}

func TestPreview(t *testing.T) {
	clock := startClock()
	p := openPreviews(t, t.TempDir(), clock)
	token, ends, err := p.Sign(map[string]string{"shop.example": "reviews.shop=v3"}, time.Hour)
	if err != nil || !ends.Equal(clock.at.Add(time.Hour)) || !holds(t, p.Keys(), token) {
		t.Errorf("%s ends %v, verified %v: %v", token, ends, holds(t, p.Keys(), token), err)
	}
	said, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	want := `{"ends":"Thu, 01 Jan 2026 01:00:00 GMT","exp":1767229200,"iss":"weft-preview","to":{"shop.example":"reviews.shop=v3"}}`
	if string(said) != want {
		t.Errorf("it says %s\nwant %s", said, want)
	}
	many := map[string]string{}
	for _, c := range strings.Repeat("abcdefghij", 10) {
		many[strings.Repeat(string(c), 60+len(many))] = "reviews.shop=v3"
	}
	for lasts, to := range map[time.Duration]map[string]string{0: nil, identity.MaxPreview + 1: nil, time.Hour: many} {
		if _, _, err := p.Sign(to, lasts); !errors.As(err, new(*identity.Refusal)) {
			t.Errorf("a preview of %v for %d hosts: %v", lasts, len(to), err)
		}
	}
}

// Whatever is signed holds until it ends, also with those that know the keys of a lead ago; and no key is for ever.
func TestPreviewKeysRotate(t *testing.T) {
	clock, dir := startClock(), t.TempDir()
	p, replica := openPreviews(t, dir, clock), openPreviews(t, dir, clock)
	type live struct {
		token string
		ends  time.Time
	}
	var all []live
	first, past := p.Keys()[0].ID, [][]model.PreviewKey{}
	for hour := range 100 * 24 {
		if hour%2 == 0 { // they take turns
			p, replica = replica, p
		}
		if err := p.Renew(); err != nil {
			t.Fatal(err)
		}
		past = append(past, p.Keys())
		all = slices.DeleteFunc(all, func(l live) bool { return l.ends.Before(clock.at) })
		for _, l := range all[:min(len(all), hour%3)] { // the oldest
			if !holds(t, p.Keys(), l.token) {
				t.Fatalf("hour %d: a preview that ends %v holds no more", hour, l.ends)
			}
		}
		token := signed(t, p, identity.MaxPreview)
		if !holds(t, past[max(0, hour-1)], token) {
			t.Fatalf("hour %d: signed by a key that who heard an hour ago does not know", hour)
		}
		if hour%12 == 0 {
			all = append(all, live{token, clock.at.Add(identity.MaxPreview)})
		}
		clock.advance(time.Hour)
	}
	if ids := p.Keys(); len(ids) > 2 || slices.ContainsFunc(ids, func(k model.PreviewKey) bool { return k.ID == first }) {
		t.Errorf("after a hundred days there are %d keys, the first among them: %v", len(ids), ids)
	}
}

// What was signed before a revocation holds nowhere, once the replicas have looked; what is signed after it does.
func TestPreviewsRevoked(t *testing.T) {
	clock, dir := startClock(), t.TempDir()
	p, replica := openPreviews(t, dir, clock), openPreviews(t, dir, clock)
	old := signed(t, p, time.Hour)
	if err := errors.Join(p.Revoke(), replica.Renew()); err != nil {
		t.Fatal(err)
	}
	made := signed(t, p, time.Hour)
	for name, keys := range map[string][]model.PreviewKey{"the server": p.Keys(), "a replica": replica.Keys(), "one that starts": openPreviews(t, dir, clock).Keys()} {
		if holds(t, keys, old) || !holds(t, keys, made) {
			t.Errorf("%s honours the old one: %v, the new one: %v", name, holds(t, keys, old), holds(t, keys, made))
		}
	}
}

// A file that cannot be read ends the server's start, and its error has no key.
func TestPreviewKeysUnreadable(t *testing.T) {
	clock, dir := startClock(), t.TempDir()
	openPreviews(t, dir, clock)
	path := filepath.Join(dir, "previews.json")
	for _, text := range []string{`[{"id":"a","key":"c2VjcmV0"}]`, "secret", `[{"key":`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := identity.OpenPreviews(identity.Dir(dir), clock.now)
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "c2Vj") || !strings.Contains(err.Error(), "previews.json") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

package serve

import (
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A token lets in who it was made for, until it ends, and nothing that was made of it does.
func TestToken(t *testing.T) {
	dir := t.TempDir()
	if _, err := Token(dir, "bob", nil, time.Hour); err == nil {
		t.Error("a token of a server that never was")
	}
	if _, err := makeAuthority(filepath.Join(dir, authorityName), time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "admin", "system:masters", "weft:people", "a b"} {
		if _, err := Token(dir, name, nil, time.Hour); err == nil {
			t.Errorf("a token of %q", name)
		}
		if _, err := Token(dir, "bob", []string{name}, time.Hour); err == nil && name != "admin" {
			t.Errorf("a token of the group %q", name)
		}
	}
	token, err := Token(dir, "bob", []string{"qa"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s, now := &Server{options: Options{Dir: dir}}, time.Now()
	if g, err := s.Whose(token, now); err != nil || g.Name != "bob" || len(g.Groups) != 1 || g.Groups[0] != "qa" {
		t.Errorf("%v %v", g, err)
	}
	body, signature, _ := strings.Cut(token, ".")
	other := tokenPrefix + base64.RawURLEncoding.EncodeToString([]byte(`{"name":"ann","until":"2999-01-01T00:00:00Z"}`))
	for what, wrong := range map[string]string{"another body": other + "." + signature, "no signature": body, "an empty one": body + ".", "nothing": ""} {
		if g, err := s.Whose(wrong, now); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v %v", what, g, err)
		}
	}
	if g, err := s.Whose(token, now.Add(time.Hour)); !errors.Is(err, ErrToken) {
		t.Errorf("when it has ended: %v %v", g, err)
	}
	key := filepath.Join(dir, tokenKeyName)
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if g, err := s.Whose(tokenPrefix+"e30."+base64.RawURLEncoding.EncodeToString(Key(nil).sign([]byte("{}"))), time.Time{}.Add(-time.Hour)); err == nil || errors.Is(err, ErrToken) {
		t.Errorf("by an empty key: %v %v", g, err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if g, err := s.Whose(token, now); !errors.Is(err, ErrToken) {
		t.Errorf("without the key: %v %v", g, err)
	}
}

// Of some who make the first token at once, nobody makes another's worthless.
func TestFirstTokensAtOnce(t *testing.T) {
	dir := t.TempDir()
	if _, err := makeAuthority(filepath.Join(dir, authorityName), time.Now()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, tokenKeyName)
	for range 20 {
		var group sync.WaitGroup
		keys := make([]Key, 4)
		for i := range keys {
			group.Go(func() { keys[i], _ = tokenKey(dir) })
		}
		group.Wait()
		kept, err := os.ReadFile(path)
		for _, key := range keys {
			if err != nil || len(key) < minKey || string(key) != string(kept) {
				t.Fatalf("a token was made by %q, and the key is %q, %v", key, kept, err)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

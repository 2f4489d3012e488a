package snapshot_test

import (
	"slices"
	"strings"
	"testing"

	"weft.dev/snapshot"
)

func TestKeys(t *testing.T) {
	private, public, err := snapshot.EncodeKey(keyOf('a'))
	if err != nil {
		t.Fatal(err)
	}
	if key, err := snapshot.PrivateKey(private); err != nil || !key.Equal(keyOf('a')) {
		t.Errorf("got another key, %v", err)
	}
	_, other, err := snapshot.EncodeKey(keyOf('b'))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := snapshot.PublicKeys(slices.Concat(public, other))
	if err != nil || len(keys) != 2 || !keys[0].Equal(trust('a')[0]) || !keys[1].Equal(trust('b')[0]) {
		t.Errorf("got %d keys, %v", len(keys), err)
	}
	if _, err := snapshot.PrivateKey(public); err == nil || !strings.Contains(err.Error(), "PRIVATE KEY") {
		t.Errorf("a public key signs? %v", err)
	}
	if _, err := snapshot.PublicKeys(private); err == nil || strings.Contains(err.Error(), string(private)) {
		t.Errorf("a private key is taken for a public one, or shown: %v", err)
	}
	if _, err := snapshot.PublicKeys(nil); err == nil {
		t.Error("an empty file trusts somebody")
	}
}

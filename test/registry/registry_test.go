package registry_test

import (
	"net"
	"slices"
	"strings"
	"testing"

	"weft.dev/release/artifact"
	"weft.dev/test/registry"
)

// TestArtifact: what release/artifact says is what a real registry has.
func TestArtifact(t *testing.T) {
	server := registry.Start(t)
	digest := server.Push("shop/cart", "1.0.0")
	server.Push("shop/cart", "latest")
	r, err := artifact.ParseRepository(server.Host + "/shop/cart")
	if err != nil {
		t.Fatal(err)
	}
	r.Insecure = true
	client := artifact.New((&net.Dialer{}).DialContext)
	if _, err := client.Tags(t.Context(), r); err == nil || !strings.Contains(err.Error(), "give a Secret") {
		t.Fatalf("it lets everybody in: %v", err)
	}
	r.Login = artifact.Login{Username: registry.Username, Password: registry.Password}
	if tags, err := client.Tags(t.Context(), r); err != nil || !slices.Equal(tags, []string{"1.0.0", "latest"}) {
		t.Fatalf("tags %q: %v", tags, err)
	}
	if got, err := client.Digest(t.Context(), r, "1.0.0"); err != nil || got != digest {
		t.Fatalf("digest %q: %v; want %s", got, err, digest)
	}
	if _, err := client.Digest(t.Context(), r, "2.0.0"); err == nil || !strings.Contains(err.Error(), "none of that name") {
		t.Fatalf("a tag that there is not: %v", err)
	}
	r.Login.Password = "another"
	if _, err := client.Tags(t.Context(), r); err == nil || strings.Contains(err.Error(), "another") {
		t.Fatalf("with another password: %v", err)
	}
}

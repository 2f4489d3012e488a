package main

import (
	"testing"

	"weft.dev/release/audit"
)

// A chapter comes back from its Blob as it was, and a Blob of another name is none.
func TestChaptersAreBlobs(t *testing.T) {
	b := blobOf("weft-system", audit.Chapter{N: 17, Text: []byte("a\nb\n")})
	got, err := chapterOf(b)
	if err != nil || got.N != 17 || string(got.Text) != "a\nb\n" || b.Name != "audit-0000000017" {
		t.Errorf("%s %+v %v", b.Name, got, err)
	}
	b.Name = "b-1f"
	if _, err := chapterOf(b); err == nil {
		t.Error("any Blob is a chapter")
	}
}

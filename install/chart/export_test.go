package chart

import "testing"

// Templates counts those in the binary.
func Templates(t *testing.T) int {
	t.Helper()
	c, err := load("1")
	if err != nil {
		t.Fatal(err)
	}
	return len(c.Templates)
}

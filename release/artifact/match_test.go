package artifact

import (
	"slices"
	"strings"
	"testing"
)

// TestVersions: each range, and tags that are in it, and that are not.
func TestVersions(t *testing.T) {
	for _, c := range []struct{ version, in, out string }{
		{"^1.4", "1.4 1.4.0 v1.4.2 1.9 1.4.0+build", "1.3.9 2.0.0 1.5.0-rc1 latest 1.4.0.1"},
		{"^0.2.3", "0.2.3 0.2.9", "0.3.0 0.2.2 1.0.0"},
		{"^0", "0.0.1 0.9", "1.0.0"},
		{"~1.4.2", "1.4.2 1.4.9", "1.5.0 1.4.1"},
		{"~1", "1.0.0 1.9.0", "2.0.0"},
		{">=1.4 <3", "1.4.0 2.9.9", "3.0.0 1.3.0 3.0.0-rc1"},
		{">1.0.0-rc1", "1.0.0 1.0.0-rc2 1.0.0-rc1.1 2.0.0", "1.0.0-beta 1.1.0-rc2 1.0.0-rc1"},
		{"1.2.3", "1.2.3 v1.2.3", "1.2.4"},
	} {
		match, err := NewMatch("", c.version)
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range strings.Fields(c.in) {
			if !match.has(tag) {
				t.Errorf("%s is not in %s", tag, c.version)
			}
		}
		for _, tag := range strings.Fields(c.out) {
			if match.has(tag) {
				t.Errorf("%s is in %s", tag, c.version)
			}
		}
	}
	order := strings.Fields("1.0.0-1 1.0.0-2 1.0.0-10 1.0.0-a 1.0.0-a.b 1.0.0 1.2 1.10.0")
	if sorted := slices.SortedFunc(slices.Values(order), compareTags); !slices.Equal(sorted, order) {
		t.Errorf("the order is %q", sorted)
	}
}

// TestNewest: by version, or as tags are written, where numbers count as numbers.
func TestNewest(t *testing.T) {
	tags := strings.Fields("build-007 build-10 build-9 latest 1.2 v1.10.0 1.9.9 2.0.0-rc1 20260102 20260110")
	for _, c := range []struct{ tag, version, want string }{
		{"build-.*", "", "build-007 build-9 build-10"},
		{"[0-9]{8}", "", "20260102 20260110"},
		{"", "^1", "1.2 1.9.9 v1.10.0"},
		{"v.*", ">=1 <3", "v1.10.0"},
		{"uild-9", "", ""},
	} {
		m, err := NewMatch(c.tag, c.version)
		if got := strings.Join(m.Of(tags), " "); err != nil || got != c.want {
			t.Errorf("%s %s: %q %v", c.tag, c.version, got, err)
		}
	}
	if tags[1] != "build-10" {
		t.Error("the tags that were given are sorted")
	}
	for _, c := range [][2]string{{"(", ""}, {"", "newest"}} {
		if _, err := NewMatch(c[0], c[1]); err == nil {
			t.Errorf("%q is no mistake", c)
		}
	}
}

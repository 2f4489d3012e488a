package redirect

import (
	"strings"
	"testing"
)

const mounts = `30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - tmpfs tmpfs rw
31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
%
`

func TestFindCgroup(t *testing.T) {
	whole, hybrid := "32 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw", "32 30 0:28 / /sys/fs/cgroup/unified rw - cgroup2 none rw"
	part := "32 30 0:28 /machines/one /sys/fs/cgroup rw - cgroup2 none rw"
	for _, c := range []struct {
		what, of, mount, path string
		level                 int
	}{
		{"a unit", "0::/system.slice/weft-agent@web.service\n", whole, "/sys/fs/cgroup/system.slice/weft-agent@web.service", 2},
		{"the root", "0::/\n", whole, "/sys/fs/cgroup", 0},
		{"both versions", "9:name=systemd:/a\n0::/user.slice\n", hybrid, "/sys/fs/cgroup/unified/user.slice", 1},
		{"a part is mounted", "0::/machines/one/web\n", part, "/sys/fs/cgroup/web", 3},
		{"another part is mounted", "0::/machines/one-more\n", part, "", 0},
		{"outside of what this process may see", "0::/../other\n", whole, "", 0},
		{"version 1 alone", "5:memory:/a\n", whole, "", 0},
	} {
		got, err := findCgroup(c.of, strings.Replace(mounts, "%", c.mount, 1))
		if got.path != c.path || got.level != c.level || (err == nil) != (c.path != "") {
			t.Errorf("%s: %+v, %v; want %s at level %d", c.what, got, err, c.path, c.level)
		}
	}
}

// TestMember: the way in which nft says it.
func TestMember(t *testing.T) {
	unit := cgroup{path: "/sys/fs/cgroup/system.slice/weft-agent@web.service/weft-20123", level: 3}
	want := `socket cgroupv2 level 3 "system.slice/weft-agent@web.service/weft-20123"`
	if got := unit.member().text; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

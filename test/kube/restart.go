package kube

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
)

// steady fails the test if a container of weft ends by itself while it goes. A test that
// ends weft deletes its pods: those have new names.
func steady(t testing.TB) {
	t.Helper()
	before, err := restarts()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		after, err := restarts()
		if err != nil {
			t.Error(err)
		}
		for container, n := range after {
			if n > before[container] {
				pod, name, _ := strings.Cut(container, "/")
				said, _ := Try("", "logs", pod, "-c", name, "--previous", "--tail=60", "-n", "weft-system")
				t.Errorf("%s of weft ended by itself and was started again, %d times in all; before that it said:\n%s", container, n, said)
			}
		}
	})
}

// restarts of weft's containers, by POD/CONTAINER.
func restarts() (map[string]int, error) {
	const each = `{range .items[*]}{.metadata.name}{range .status.containerStatuses[*]}{" "}{.name}{"="}{.restartCount}{end}{"\n"}{end}`
	out, err := Try("", "get", "pods", "-n", "weft-system", "-o", "jsonpath="+each)
	if err != nil {
		return nil, err
	}
	all := map[string]int{}
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		for _, field := range fields[min(1, len(fields)):] {
			name, count, _ := strings.Cut(field, "=")
			n, err := strconv.Atoi(count)
			if err != nil {
				return nil, fmt.Errorf("restarts of %s: %w", line, err)
			}
			all[fields[0]+"/"+name] = n
		}
	}
	return all, nil
}

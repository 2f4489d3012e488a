package pipeline

import (
	"fmt"
	"strings"
)

// maxParents is how deep runs may call or start each other.
const maxParents = 10

// Circle says why a run with these parents, as PIPELINE/RUN, may not start one of the
// pipeline; "": it may. One that starts itself would wait for its own end, or have none.
func Circle(parents []string, name string) string {
	if len(parents) > maxParents {
		return fmt.Sprintf("%d runs call each other, more than %d: %s", len(parents), maxParents, strings.Join(parents, ", "))
	}
	for _, p := range parents {
		if before, _, _ := strings.Cut(p, "/"); before == name {
			return fmt.Sprintf("pipeline %s would call itself: %s", name, strings.Join(parents, ", "))
		}
	}
	return ""
}

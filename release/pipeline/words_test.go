package pipeline

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestChildNames(t *testing.T) {
	long := strings.Repeat("x", 253)
	seen := map[string]bool{}
	for _, uid := range []string{"1", "2"} {
		for _, run := range []string{"ship-x7k2p", "a.b", long, strings.Repeat("x", maxChild-12) + ".y"} {
			for _, stage := range []string{"a", strings.Repeat("s", 40)} {
				for _, attempt := range []int{1, 12} {
					name := ChildName(Run{UID: uid, Name: run}, stage, attempt)
					if faults := validation.IsDNS1123Subdomain(name); faults != nil || len(name) > maxChild || seen[name] {
						t.Errorf("%s: %v, %d characters, or used twice", name, faults, len(name))
					}
					seen[name] = true
				}
			}
		}
	}
}

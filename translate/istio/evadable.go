package istio

import (
	"fmt"
	"strings"

	"weft.dev/model"
)

// Evadable finds the rules of a policy that deny by path. They have their effect, and yet who
// serves the request may read a path in other ways than the proxy does: then what is not meant
// to pass has a way in. It is no problem of the object, but worth a second look.
func Evadable(a model.Authorization) (all []model.Problem) {
	for i, rule := range a.Rules {
		for j, to := range rule.To {
			paths, field := to.Paths, "paths"
			if a.Action == model.Allow {
				paths, field = to.NotPaths, "notPaths"
			} else if a.Action != model.Deny {
				continue
			}
			if len(paths) > 0 && evadable(paths) {
				place := fmt.Sprintf("spec.rules[%d].to[%d].operation.%s", i, j, field)
				all = append(all, model.Problem{Object: a.Object, Code: model.ProblemEvadable, Path: place, Message: evasions(paths[0])})
			}
		}
	}
	return all
}

// evadable: what denies every path is not.
func evadable(paths []string) bool {
	for _, p := range paths {
		if p == "*" || p == "/*" {
			return false
		}
	}
	return true
}

// evasions are other ways to write a path. Dots, slashes and simple encoding are read in one way by all proxies.
func evasions(path string) string {
	plain := strings.NewReplacer("{**}", "x", "{*}", "x", "*", "").Replace(path)
	if plain == "" {
		plain = "/"
	}
	encoded := "/%25" + fmt.Sprintf("%02x", plain[min(1, len(plain)-1)]) + plain[min(2, len(plain)):]
	return fmt.Sprintf("it denies by path: where the application takes %s (no difference of case), %s;x=1 (path parameters) or %s (decoded twice) for %q, the rule is evaded; "+
		"list what may be called in paths of an ALLOW policy, which denies all else, or make sure that the application reads none of them so", strings.ToUpper(plain), plain, encoded, path)
}

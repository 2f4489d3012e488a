package guard

import (
	"fmt"
	"slices"
	"strings"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// masters are administrators: they could change the roles.
const masters = "system:masters"

// Person is who asks, as the API server says. Name "": nobody vouches for it.
type Person struct {
	Name   string
	Groups []string
}

// Administers says whether somebody is an administrator, who may do everything.
func Administers(p Person) bool { return slices.Contains(p.Groups, masters) }

// Right is something that not everybody may do.
type Right string

const (
	MayRelease Right = "release"
	MayApprove Right = "approve"
	MayUndo    Right = "undo"
	MayFreeze  Right = "freeze"
)

// rights are what a decision needs.
var rights = map[string]Right{
	pipeline.Judge: MayApprove, pipeline.Cancel: MayUndo, pipeline.Retry: MayRelease, pipeline.Skip: MayRelease,
}

// Named are the groups that have a right in an application; none: it needs no role. Nil has no roles.
func Named(a *v1alpha1.Application, right Right) []string {
	if a == nil {
		return nil
	}
	r := a.Spec.Roles
	switch right {
	case MayRelease:
		return r.Release
	case MayApprove:
		return r.Approve
	case MayUndo:
		return slices.Concat(r.Undo, r.Release)
	}
	return r.Freeze
}

// Refuses says why a person has not a right in an application; "": they have.
func Refuses(a *v1alpha1.Application, right Right, p Person) string {
	named := Named(a, right)
	switch {
	case strings.HasPrefix(p.Name, pipeline.NoPerson):
		return ""
	case len(named) == 0, member(p.Groups, named), Administers(p):
		return ""
	case p.Name == "":
		return fmt.Sprintf("nobody vouches for who asks, and application %s lets only %s %s", a.Name, strings.Join(named, ", "), right)
	}
	return fmt.Sprintf("%s is in none of the groups that may %s application %s: %s", p.Name, right, a.Name, strings.Join(named, ", "))
}

// Same says why a person is too close to a change to say yes to it; "": they are not, or the
// application does not mind.
func Same(a *v1alpha1.Application, by string, t v1alpha1.TriggerFact) string {
	author := string(t.Facts[pipeline.Author])
	switch {
	case a == nil || !a.Spec.FourEyes:
	case by == "":
		return fmt.Sprintf("application %s wants four eyes, and nobody vouches for whose these are", a.Name)
	case by == t.By:
		return fmt.Sprintf("application %s wants four eyes: %s started it, so somebody else has to say yes", a.Name, by)
	case by == author:
		return fmt.Sprintf("application %s wants four eyes: %s wrote the commit, so somebody else has to say yes", a.Name, by)
	case t.By == "" && author == "":
		return fmt.Sprintf("application %s wants four eyes, and nobody knows who started it: it could be you", a.Name)
	}
	return ""
}

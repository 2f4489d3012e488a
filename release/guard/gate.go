package guard

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/pipeline"
)

// harmless are the kinds of stages that bring nothing into service, or take something back. Every other
// one acts, also one that is not known here.
var harmless = []string{
	"wait", "judgment", "check", "variables", "analysis", "notify", "bake", "findArtifact", "unsupported",
	"pipeline", // its run has gates of its own
	"undo",     // the way back is always open
}

// Acts reports whether a stage waits for freezes and windows. A webhook does unless it only reads.
func Acts(s *v1alpha1.Stage) bool {
	kind, config := pipeline.KindOf(s)
	if hook, ok := config.(*v1alpha1.WebhookStage); ok {
		return cmp.Or(hook.Method, http.MethodPost) != http.MethodGet
	}
	return !slices.Contains(harmless, kind)
}

// Rails are those that hold for an application now.
type Rails struct {
	Freezes     []*v1alpha1.Freeze
	Application *v1alpha1.Application // nil: there is none
	// Unvouched is why names and groups are what anybody may have written, so that nobody has any; "": they are true.
	Unvouched string
	// Since is from when on they are: what is older names nobody. Zero: they always were.
	Since time.Time
}

// person is whom something that was made at a time names, if that counts.
func (r Rails) person(by string, groups []string, made time.Time) Person {
	if r.unvouched(made) != "" {
		return Person{}
	}
	return Person{by, groups}
}

// unvouched is why names in what was made at a time do not count; "": they do.
func (r Rails) unvouched(made time.Time) string {
	switch {
	case r.Unvouched != "":
		return r.Unvouched
	case made.Before(r.Since):
		return fmt.Sprintf("it was written before %s, when nobody saw to it that names are true: do it again", r.Since.UTC().Format(time.RFC3339))
	}
	return ""
}

// Work is something that wants to begin or to go on.
type Work struct {
	Namespace, Application string
	Groups                 []string // of who started it
	// Seed has jitter be the same for all that belongs together.
	Seed string
	// Windows that hold beside the application's, by whose they are.
	Windows map[string][]v1alpha1.Window
}

// Gate says whether work may go on.
func (r Rails) Gate(w Work, now time.Time) pipeline.Gate {
	for _, f := range r.Freezes {
		if r.frozen(f, w, now) {
			return pipeline.Gate{Why: freezeWhy(f), Until: timeOf(f.Spec.Until)}
		}
	}
	windows := map[string][]v1alpha1.Window{}
	for of, all := range w.Windows {
		windows[of] = all
	}
	if r.Application != nil {
		windows["application "+r.Application.Name] = r.Application.Spec.Windows
	}
	for _, of := range sorted(windows) {
		if why, until := windowsGate(of, windows[of], w.Seed, now); why != "" {
			if !until.IsZero() {
				why += ": opens " + until.UTC().Format(time.RFC3339)
			}
			return pipeline.Gate{Why: why, Until: until}
		}
	}
	return pipeline.Gate{Open: true}
}

// frozen reports whether a freeze holds for the work.
func (r Rails) frozen(f *v1alpha1.Freeze, w Work, now time.Time) bool {
	environment := ""
	if r.Application != nil {
		environment = r.Application.Spec.Environment
	}
	return Holds(f, now) && covers(f.Spec.Namespaces, w.Namespace) && covers(f.Spec.Applications, w.Application) &&
		covers(f.Spec.Environments, environment) && !member(w.Groups, f.Spec.Except)
}

// Holds reports whether a freeze's time is now.
func Holds(f *v1alpha1.Freeze, now time.Time) bool {
	from, until := timeOf(f.Spec.From), timeOf(f.Spec.Until)
	return !now.Before(from) && (until.IsZero() || now.Before(until))
}

// covers reports whether a list names something, or limits nothing.
func covers(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }

// member reports whether one of the groups is named.
func member(groups, named []string) bool {
	return slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(named, g) })
}

func freezeWhy(f *v1alpha1.Freeze) string {
	text := fmt.Sprintf("frozen by %s (%s): %s", cmp.Or(f.Spec.By, "somebody"), f.Name, f.Spec.Reason)
	if until := timeOf(f.Spec.Until); !until.IsZero() {
		text += ", until " + until.UTC().Format(time.RFC3339)
	}
	if len(f.Spec.Except) > 0 {
		text += "; what " + strings.Join(f.Spec.Except, ", ") + " start goes"
	}
	return text
}

package spinnaker

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
)

const (
	maxAfter = 50
	maxTitle = 253
	maxText  = 4096 // of an expression, an instruction, a value
)

// stage is one of Spinnaker's, as it came.
type stage struct {
	raw    object
	name   string // weft's
	ending string // of the stage that follows it where it becomes two; empty: it is one
	title  string
	refID  string
	typ    string
	after  []*stage
	broken []string        // requisites that are no stage
	before map[*stage]bool // all that have ended when it starts
}

func (s *stage) follows(other *stage) bool { return s.before[other] }

// sets are the names that it gives values to.
func (s *stage) sets() (out []string) {
	if s.typ != "evaluateVariables" {
		return nil
	}
	for _, v := range objects(s.raw["variables"]) {
		out = append(out, text(v["key"]))
	}
	return out
}

// reference is a field of its state in an expression.
func (s *stage) reference(field string) cel {
	if isSelectable(s.name) {
		return atom("stages."+s.name+"."+field, celAny)
	}
	return atom("stages["+quoted(s.name)+"]."+field, celAny)
}

// readStages reads a pipeline's stages and who follows whom. In old pipelines none
// is numbered: each follows the one before it.
func readStages(raw []object) (out []*stage, numbered bool) {
	taken := map[string]bool{}
	for i, o := range raw {
		s := &stage{raw: o, title: text(o["name"]), refID: text(o["refId"]), typ: text(o["type"])}
		if s.typ == "" {
			s.typ = "unknown"
		}
		if s.title == "" {
			s.title = s.typ
		}
		s.name = unused(taken, stageName(s.title, s.refID, i), "-", maxStageName)
		numbered = numbered || o["refId"] != nil || o["requisiteStageRefIds"] != nil
		out = append(out, s)
	}
	for i, s := range out {
		if isShift(s.raw) {
			s.ending = unused(taken, cut(s.name, maxStageName-len("-release"))+"-release", "-", maxStageName)
		}
		if !numbered && i > 0 {
			s.after = []*stage{out[i-1]}
		}
		s.require(out)
	}
	for _, s := range out {
		s.before = map[*stage]bool{}
		s.reach(s.before)
	}
	return out, numbered
}

// require finds the stages that s says it follows.
func (s *stage) require(all []*stage) {
	for _, ref := range texts(s.raw["requisiteStageRefIds"]) {
		i := slices.IndexFunc(all, func(other *stage) bool { return other.refID == ref })
		if i < 0 {
			s.broken = append(s.broken, ref)
		} else if !slices.Contains(s.after, all[i]) {
			s.after = append(s.after, all[i])
		}
	}
}

func (s *stage) reach(seen map[*stage]bool) {
	for _, other := range s.after {
		if !seen[other] {
			seen[other] = true
			other.reach(seen)
		}
	}
}

// job is the conversion of one stage.
type job struct {
	*stage
	scope     *scope
	pipelines map[string]*source // by id
	canaries  map[string]object  // configurations, by id and by name
	notes     []Item
	second    *v1alpha1.ReleaseStage // what it becomes beside the stage; nil: nothing
}

func (j *job) note(code Code, path, text string, args ...any) {
	j.notes = append(j.notes, Item{Path: path, Code: code, Text: fmt.Sprintf(text, args...)})
}

// text is a text field with its expressions in CEL.
func (j *job) text(path string, limit int) (string, error) {
	return j.within(path, j.raw[path], limit)
}

// within is a text of a part of the stage, with its expressions in CEL.
func (j *job) within(path string, value any, limit int) (string, error) {
	out, err := j.scope.text(text(value))
	if err == nil && len(out) > limit {
		err = fmt.Errorf("it has %d bytes, at most %d are possible", len(out), limit)
	}
	return out, named(path, err)
}

func named(path string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// convert is the stage in weft's words, one or two, and what there is to say about it.
func (j *job) convert() ([]v1alpha1.Stage, []Item) {
	out := v1alpha1.Stage{Name: j.name, OnFailure: failure(j.raw)}
	if j.title != j.name {
		out.Title = strings.ToValidUTF8(cut(j.title, maxTitle), "")
	}
	err := j.common(&out)
	j.leftovers()
	common := j.notes
	k, known := kinds[j.typ]
	switch {
	case err != nil:
	case !known:
		err = errors.New(strings.TrimSuffix("weft has no stage for it: "+instead[j.typ], ": "))
	default:
		err = k.convert(j, &out)
	}
	if j.scope.emptied {
		j.note(Changed, "parameters", "a parameter that is empty is one that was not given")
	}
	if err != nil {
		kept := v1alpha1.Stage{Name: out.Name, Title: out.Title, After: out.After, When: out.When, OnFailure: out.OnFailure, Timeout: out.Timeout, Windows: out.Windows}
		kept.Unsupported = &v1alpha1.UnsupportedStage{Type: cut(j.typ, maxTitle), Original: &runtime.RawExtension{Raw: encode(j.raw)}}
		return []v1alpha1.Stage{kept}, append([]Item{{Code: Kept, Text: err.Error() + "; a run that reaches it fails"}}, common...)
	}
	whole := Item{Code: Exact, Text: "is stage " + j.name}
	if slices.ContainsFunc(j.notes, func(i Item) bool { return i.Code == Changed }) {
		whole = Item{Code: Changed, Text: "is stage " + j.name + ", with differences"}
	}
	return append([]v1alpha1.Stage{out}, j.ended(out)...), append([]Item{whole}, j.notes...)
}

// ended is the second stage, if the stage has become two. It is skipped where the first one is, or goes on after it failed.
func (j *job) ended(first v1alpha1.Stage) []v1alpha1.Stage {
	if j.second == nil {
		return nil
	}
	when := j.reference("phase").text + ` == "Succeeded"`
	return []v1alpha1.Stage{{Name: j.ending, After: []string{j.name}, When: when, OnFailure: first.OnFailure, Windows: first.Windows, Release: j.second}}
}

// common converts what all stages have.
func (j *job) common(out *v1alpha1.Stage) error {
	for _, other := range j.after {
		out.After = append(out.After, other.name)
	}
	if len(out.After) > maxAfter {
		out.After = out.After[:maxAfter]
		return fmt.Errorf("it waits for more than %d stages", maxAfter)
	}
	timeout, err := timeoutOf(j.raw)
	if err != nil {
		return err
	}
	out.Timeout = timeout
	if err := j.when(out); err != nil {
		return err
	}
	if len(j.broken) > 0 {
		j.note(Missing, "requisiteStageRefIds", "it waits for stages that are not there: %s", strings.Join(j.broken, ", "))
		return errors.New("nobody knows when it may start")
	}
	return j.windows(out)
}

// when converts stageEnabled.
func (j *job) when(out *v1alpha1.Stage) error {
	enabled, _ := j.raw["stageEnabled"].(object)
	source := strings.TrimSpace(text(enabled["expression"]))
	if source == "" {
		return nil
	}
	when, err := j.scope.condition(source)
	if err == nil && len(when) > maxText {
		err = fmt.Errorf("it has %d bytes, at most %d are possible", len(when), maxText)
	}
	if err != nil {
		return named("stageEnabled.expression", err)
	}
	out.When = when
	j.note(Changed, "stageEnabled.expression", "where it gives neither true nor false, or an error, the stage fails; Spinnaker skips it")
	return nil
}

// failure is what a failed stage means, as Orca reads the three switches: to go on
// outranks to fail, and to fail is the default.
func failure(raw object) v1alpha1.FailureMode {
	switch {
	case truth(raw["continuePipeline"], false):
		return v1alpha1.FailContinue
	case truth(raw["failPipeline"], true):
		return ""
	case truth(raw["completeOtherBranchesThenFail"], false):
		return v1alpha1.FailLater
	}
	return v1alpha1.FailStop
}

func timeoutOf(raw object) (*metav1.Duration, error) {
	if !truth(raw["overrideTimeout"], false) && raw["stageTimeoutMs"] == nil {
		return nil, nil
	}
	said := text(raw["stageTimeoutMs"])
	if said == "" {
		return nil, nil
	}
	ms, err := strconv.ParseInt(said, 10, 64)
	if err != nil || ms <= 0 || ms > int64(maxWait/time.Millisecond) {
		return nil, fmt.Errorf("stageTimeoutMs %q is no number of milliseconds from 1 to those of a year", cut(said, 40))
	}
	return lasting(time.Duration(ms) * time.Millisecond), nil
}

func lasting(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

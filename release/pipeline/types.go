// Package pipeline decides how a run of a pipeline goes on.
//
// A run is its events, which are never changed: State is the fold of them, and
// Next gives the events and actions that come next. Who runs it stores the events
// and only then acts, so a crash at any point neither loses nor repeats an action.
//
// Everything here is pure: time, facts, results and people's decisions arrive in
// Input. It knows neither where runs are stored nor what an action does.
package pipeline

import (
	"encoding/json"
	"time"

	"weft.dev/api/v1alpha1"
)

// Kind of an event.
type Kind string

const (
	RunStarted     Kind = "RunStarted"
	RunCancelled   Kind = "RunCancelled" // asked for; stages end by themselves
	RunEnded       Kind = "RunEnded"     // nothing follows
	StageStarted   Kind = "StageStarted"
	StageSkipped   Kind = "StageSkipped"
	StageNote      Kind = "StageNote" // Data is the stage's new memory, if any; Text is worth reading
	StageEnded     Kind = "StageEnded"
	StageEnding    Kind = "StageEnding" // it has to: Text says why; it takes back what is half done
	Asked          Kind = "Asked"       // a person
	Resumed        Kind = "Resumed"     // it asks no longer
	Judged         Kind = "Judged"      // a person's decision on a stage was accepted
	ActionIntended Kind = "ActionIntended"
	ActionDone     Kind = "ActionDone"
	ActionUnknown  Kind = "ActionUnknown" // a crash came between, and it cannot be seen whether it happened
)

// Event is one thing that happened.
type Event struct {
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"` // never before that of the event before it
	Kind    Kind            `json:"kind"`
	Stage   string          `json:"stage,omitempty"`
	Attempt int             `json:"attempt,omitempty"`
	Action  string          `json:"action,omitempty"` // id
	Text    string          `json:"text,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// Limits of what is stored, bytes. What is longer is cut or refused before it is an event.
const (
	MaxText    = 512
	MaxData    = 4 << 10 // of a stage's memory, its outputs, a result; an event's data is that and a few words
	MaxOutputs = 48 << 10
	MaxState   = 128 << 10
)

// State is the fold of a run's events.
type State struct {
	Phase   v1alpha1.RunPhase     `json:"phase"` // empty: it has not begun
	Seq     int64                 `json:"seq"`
	Started time.Time             `json:"started,omitzero"`
	Last    time.Time             `json:"last,omitzero"` // of the last event
	Cancel  string                `json:"cancel,omitempty"`
	Why     string                `json:"why,omitempty"` // it ended as it did
	Stages  map[string]StageState `json:"stages,omitempty"`
	// Accepted are the names of the newest decisions that were: one whose answer was lost gets it again.
	Accepted []string `json:"accepted,omitempty"`
}

// StagePhase is where a stage stands.
type StagePhase string

const (
	Running   StagePhase = "Running"
	Asking    StagePhase = "Asking" // a person
	Succeeded StagePhase = "Succeeded"
	Failed    StagePhase = "Failed"    // and so has the run, now or at its end
	Continued StagePhase = "Continued" // it failed, and that does not matter
	Stopped   StagePhase = "Stopped"   // it failed, and ends its branch
	Skipped   StagePhase = "Skipped"
	Cancelled StagePhase = "Cancelled"
)

// StageState is one stage's part of the state; none: it has not started.
type StageState struct {
	Phase   StagePhase                 `json:"phase"`
	Attempt int                        `json:"attempt,omitempty"` // 1, 2, ...
	Started time.Time                  `json:"started,omitzero"`
	Ended   time.Time                  `json:"ended,omitzero"`
	Memory  json.RawMessage            `json:"memory,omitempty"`
	Acts    int                        `json:"acts,omitempty"` // of this attempt
	Open    *Open                      `json:"open,omitempty"`
	Ending  *Ending                    `json:"ending,omitempty"`
	Outputs map[string]json.RawMessage `json:"outputs,omitempty"`
	Why     string                     `json:"why,omitempty"`
}

// Ending is that a stage has to end.
type Ending struct {
	Why string     `json:"why"`
	As  StagePhase `json:"as"` // Cancelled, or Failed: its time was over
	At  time.Time  `json:"at"`
}

// Open is the last action of a stage's attempt, until the stage ends.
type Open struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`
	Safe    bool      `json:"safe,omitempty"`
	At      time.Time `json:"at,omitzero"`      // it was decided
	Result  *Result   `json:"result,omitempty"` // nil: not known yet
	Unknown bool      `json:"unknown,omitempty"`
}

// Run is what holds for a run from its beginning.
type Run struct {
	UID, Namespace, Name, Pipeline string
	Application                    string
	Parameters                     map[string]string
	Trigger                        v1alpha1.TriggerFact
	Parents                        []string
}

// Input is all that Next decides from; the same one gives the same Step.
type Input struct {
	Now       time.Time
	Run       Run
	Held      string            // why its turn has not come; a run that has begun goes on
	Cancel    string            // why it has to end, where no person says so: replaced, refused, deleted
	Facts     map[string]Fact   // by Look.Key; absent: not looked yet
	Results   []Result          // of actions; late and repeated ones are harmless
	Lost      []string          // ids of open actions that a process before this one may have done, or whose doing gave an error
	Decisions []Decision        // those without an answer, oldest first
	Gates     map[string]Gate   // by stage; absent: open
	Barred    map[string]string // decisions that do not count, by name: why
	Soft      map[string]json.RawMessage
}

// Step is what comes next.
type Step struct {
	Events  []Event // to be stored in one write, before anything is done
	Actions []Action
	Looks   []Look
	Answers []Answer
	Soft    map[string]json.RawMessage // evidence by stage, instead of all there was; may be lost
	Why     string                     // where the run stands, in one sentence
	Whys    map[string]string          // the same of each stage that goes on or is held back
	Wake    time.Time                  // look again then, at the latest; zero: the run has ended
}

// Action is one thing to do. Its id is the same after a crash.
type Action struct {
	ID    string // UID/STAGE/ATTEMPT/N
	Kind  string // "release/create", "http/call": what is before the slash says who does it
	Stage string
	// Safe: doing it again does nothing twice, and tells the same result.
	Safe bool
	At   time.Time       // it was decided; the same after a crash
	Data json.RawMessage // made anew at each step, not stored
}

// Refused is the result of an action that did not happen, and would not the next time either.
func (a Action) Refused(err error) (Result, error) { return Result{ID: a.ID, Text: err.Error()}, nil }

// Result is how an action went.
type Result struct {
	ID   string          `json:"id"`
	OK   bool            `json:"ok"`
	Text string          `json:"text,omitempty"`
	Data json.RawMessage `json:"data,omitempty"` // at most MaxData
}

// Look is one thing to know before the next step.
type Look struct {
	Key   string // a stage's own word; outside of it STAGE/ATTEMPT/WORD
	Kind  string // "release/get"
	Data  json.RawMessage
	Every time.Duration
}

// Fact is what a look found.
type Fact struct {
	At   time.Time
	Data json.RawMessage
	Err  string
}

// Gate is the word of windows, freezes and locks on a stage that has not started.
type Gate struct {
	Open  bool
	Why   string
	Until time.Time // when to ask again; zero: unknown
}

// Decision is a person's.
type Decision struct {
	Name, Verb, Stage string
	Attempt           int
	Choice, Reason    string
	By                string
	Groups            []string
	Made              time.Time // when it was written
}

// Answer is what becomes of a decision.
type Answer struct {
	Decision string
	Accepted bool
	Why      string
}

// Stage is one kind of stage. Both methods are pure.
type Stage interface {
	// Looks are what Next has to know.
	Looks(StageInput) []Look
	Next(StageInput) StageOutcome
}

// StageInput is what a stage decides from.
type StageInput struct {
	Now, Started time.Time
	Run          Run
	Name         string
	Attempt      int
	Config       any // the kind's own field, such as *v1alpha1.WaitStage, with its expressions replaced
	Memory, Soft json.RawMessage
	Facts        map[string]Fact // of its own looks, by the Key that it gave
	Open         *Open           // this attempt's last action; nil: none yet
	Decisions    []Decision      // to judge or skip this attempt; what it does not answer is refused
	Cancel       string          // why it has to end now, taking back what is half done
	Env          Env
	Eval         Evaluator
}

// StageOutcome is what a stage decides.
type StageOutcome struct {
	// Phase is Running, Asking, Succeeded, Failed or Cancelled. An end is taken once it is known how
	// the last action went; what Failed means for the run, the engine says.
	Phase   StagePhase
	Why     string          // where it stands; with an end: why so
	Note    string          // worth an event; the same one again is none
	Outputs json.RawMessage // an object, with any end
	// Act is the action to do; its ID and Stage are the engine's. As long as nobody knows how the
	// last one went (Open without Result, not Unknown) the stage gives the same one again, made anew,
	// and the engine says whether it is done again: only after a crash, if it is Safe. Another one
	// then is not done, and what is given with an end never.
	Act     *Action
	Memory  json.RawMessage // an object; nil: as it was
	Soft    json.RawMessage // nil: as it was
	Answers []Answer
	Wake    time.Time
}

// Type is what an expression has to give.
type Type = string

const (
	Bool Type = "bool"
	Any  Type = "any"
)

// Evaluator knows the language of expressions. It is pure and its cost is bounded.
type Evaluator interface {
	Check(source string, want Type) error
	// CheckAll is Check for all expressions of a kind's field, by path within it.
	CheckAll(config any) map[string]error
	Bool(source string, e Env) (bool, error)
	// Expand gives a copy of a kind's field in which each ${...} of each string is replaced, but in
	// fields with the tag expr. A string that is no field, and is one expression, becomes the value of that.
	Expand(config any, e Env) (any, error)
}

// Env is what an expression sees: what was fixed before its stage started.
type Env = map[string]any // params, trigger, run, stages, vars; for polls: status, body

// With is what a machine is made of.
type With struct {
	Stages map[string]Stage // by the JSON name of the kind: "wait"
	Eval   Evaluator
}

// RunView is another run of the same pipeline.
type RunView struct {
	Name    string
	Created time.Time
	Phase   v1alpha1.RunPhase
}

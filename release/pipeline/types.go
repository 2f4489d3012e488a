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
	Asked          Kind = "Asked"  // a person
	Judged         Kind = "Judged" // by a person
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
	MaxData    = 4 << 10 // of an event: a stage's memory, or its outputs
	MaxOutputs = 48 << 10
	MaxState   = 128 << 10
)

// State is the fold of a run's events.
type State struct {
	Phase  v1alpha1.RunPhase     `json:"phase"`
	Seq    int64                 `json:"seq"`
	Last   time.Time             `json:"last"` // of the last event
	Cancel string                `json:"cancel,omitempty"`
	Stages map[string]StageState `json:"stages,omitempty"`
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
	Outputs map[string]json.RawMessage `json:"outputs,omitempty"`
	Why     string                     `json:"why,omitempty"`
}

// Open is the last action of a stage, until its result has been used.
type Open struct {
	ID      string  `json:"id"`
	Result  *Result `json:"result,omitempty"` // nil: not known yet
	Unknown bool    `json:"unknown,omitempty"`
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
	Facts     map[string]Fact // by Look.Key; absent: not looked yet
	Results   []Result        // of actions; late and repeated ones are harmless
	Lost      []string        // ids of open actions that a process before this one may have done
	Decisions []Decision      // those without an answer, oldest first
	Gates     map[string]Gate // by stage; absent: open
	Soft      map[string]json.RawMessage
}

// Step is what comes next.
type Step struct {
	Events  []Event // to be stored in one write, before anything is done
	Actions []Action
	Looks   []Look
	Answers []Answer
	Soft    map[string]json.RawMessage // evidence by stage; may be lost
	Wake    time.Time                  // look again then, at the latest; zero: the run has ended
}

// Action is one thing to do. Its id is the same after a crash.
type Action struct {
	ID    string // UID/STAGE/ATTEMPT/N
	Kind  string // "release/create", "http/call": what is before the slash says who does it
	Stage string
	// Safe: doing it again does nothing twice, and tells the same result.
	Safe bool
	Data json.RawMessage // made anew at each step, not stored
}

// Result is how an action went.
type Result struct {
	ID   string          `json:"id"`
	OK   bool            `json:"ok"`
	Text string          `json:"text,omitempty"`
	Data json.RawMessage `json:"data,omitempty"` // at most MaxData
}

// Look is one thing to know before the next step.
type Look struct {
	Key   string // unique within the run: STAGE/...
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
	Facts        map[string]Fact
	Open         *Open // its last action; it gets no other one before the result is known
	Decisions    []Decision
	Cancel       string // why it has to end now, taking back what is half done
	Env          Env
	Eval         Evaluator
}

// StageOutcome is what a stage decides.
type StageOutcome struct {
	Phase   StagePhase // Running, Asking, Succeeded, Failed or Cancelled; what Failed means, the engine says
	Why     string
	Note    string          // worth an event
	Outputs json.RawMessage // an object, with Succeeded or Failed
	Act     *Action         // its ID is the engine's
	Memory  json.RawMessage // nil: as it was
	Soft    json.RawMessage
	Answers []Answer
	Wake    time.Time
}

// Type is what an expression has to give.
type Type string

const (
	Bool Type = "bool"
	Any  Type = "any"
)

// Evaluator knows the language of expressions. It is pure and its cost is bounded.
type Evaluator interface {
	Check(source string, want Type) error
	Bool(source string, e Env) (bool, error)
	// Expand gives a copy of a kind's field in which each ${...} of each string is replaced.
	Expand(config any, e Env) (any, error)
}

// Env is what an expression sees: what was fixed before its stage started.
type Env map[string]any // params, trigger, run, stages, vars; for polls: status, body

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

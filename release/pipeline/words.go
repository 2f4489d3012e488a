package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"weft.dev/api/v1alpha1"
)

// Kinds of actions and looks. What is before the slash says who acts and sees.
const (
	CreateRelease = "release/create"  // data: ReleaseWork; results in ReleaseMade where that says anything; doing it again does nothing twice
	AbortRelease  = "release/abort"   // data: Child; the same
	SeeRelease    = "release/get"     // data: Child; finds ReleaseSeen
	SeeEarlier    = "release/earlier" // data: instances.Question; finds EarlierSeen
	CreateRun     = "run/create"      // data: RunWork; doing it again does nothing twice
	CancelRun     = "run/cancel"      // data: Child; the same
	SeeRun        = "run/get"         // data: Child; finds RunSeen
	Bake          = "bake/render"     // data: v1alpha1.BakeStage; results in Made, and doing it again does nothing twice
	Call          = "http/call"       // data: HTTPCall; results in HTTPAnswer
	SeeHTTP       = "http/get"        // data: HTTPCall, whose method is ignored; finds HTTPAnswer
	Notify        = "notify/send"     // data: NotifyWork; doing it again tells people twice
	CreateVersion = "version/create"  // data: VersionWork; doing it again does nothing twice
	SeeTraffic    = "traffic/get"     // data: instances.Question; finds TrafficSeen
	SeeArtifact   = "artifact/get"    // data: v1alpha1.FindArtifactStage; finds ArtifactSeen
	SeeAnswers    = "answers/get"     // data: release.Target without a namespace; finds release.Answers
	SeeOpinion    = "opinion/get"     // data: opinion.Ask; finds opinion.Said
	SeeSeries     = "opinion/series"  // data: opinion.Range; finds opinion.Series
)

// Made is what a bake gave.
type Made struct {
	Manifests []string `json:"manifests"` // names of Blobs: what they hold, one after the other, is YAML
	Objects   int      `json:"objects"`
	Images    []string `json:"images"`   // of all containers, by name
	Revision  string   `json:"revision"` // the commit
}

// ArtifactSeen is what was found, or why it will not be.
type ArtifactSeen struct {
	Text    string                     `json:"text,omitempty"` // what it is, for people
	Outputs map[string]json.RawMessage `json:"outputs,omitempty"`
	Refused string                     `json:"refused,omitempty"`
}

// Child names an object that a stage made, in the run's namespace.
type Child struct {
	Name string `json:"name"`
}

// ReleaseWork is a Release to make.
type ReleaseWork struct {
	Name        string             `json:"name"` // ChildName
	Application string             `json:"application"`
	Version     string             `json:"version"`
	Strategy    *v1alpha1.Strategy `json:"strategy,omitempty"`
	By          string             `json:"by,omitempty"` // By and Groups are those of the run that makes it
	Groups      []string           `json:"groups,omitempty"`
	Undo        bool               `json:"undo,omitempty"`
	Reason      string             `json:"reason,omitempty"`
	// Routes and Config are what an undo puts back beside it.
	Routes bool `json:"routes,omitempty"`
	Config bool `json:"config,omitempty"`
}

// EarlierSeen is the version that an undo without one goes back to, or why there is none.
type EarlierSeen struct {
	Version string `json:"version,omitempty"`
	Refused string `json:"refused,omitempty"`
}

// ReleaseMade is what making a release left undone.
type ReleaseMade struct {
	Stays string `json:"stays,omitempty"` // why what an undo was to put back is not
}

// ReleaseSeen is what there is of a Release.
type ReleaseSeen struct {
	Missing bool                  `json:"missing,omitempty"` // it was deleted, or is not made yet
	Phase   v1alpha1.ReleasePhase `json:"phase,omitempty"`
	Weight  int32                 `json:"weight,omitempty"` // percent
	Why     string                `json:"why,omitempty"`
}

// RunWork is a PipelineRun to make.
type RunWork struct {
	Name       string                    `json:"name"` // ChildName
	Pipeline   string                    `json:"pipeline"`
	Parameters map[string]v1alpha1.Value `json:"parameters,omitempty"`
	Trigger    v1alpha1.TriggerFact      `json:"trigger"` // By and Groups are those of the run that makes it
	Parents    []string                  `json:"parents,omitempty"`
}

// RunSeen is what there is of a PipelineRun.
type RunSeen struct {
	Missing bool              `json:"missing,omitempty"`
	Phase   v1alpha1.RunPhase `json:"phase,omitempty"`
	Why     string            `json:"why,omitempty"`
}

// HTTPCall is a request to an address outside. One whose action is Safe carries
// the action's id as Idempotency-Key.
type HTTPCall struct {
	Method  string                   `json:"method,omitempty"` // default: POST
	URL     string                   `json:"url"`
	Headers []v1alpha1.WebhookHeader `json:"headers,omitempty"`
	Body    string                   `json:"body,omitempty"`
}

// HTTPAnswer is what came back, whatever the status.
type HTTPAnswer struct {
	Status int `json:"status"`
	// Body is the parsed answer; text that is no JSON is a JSON string. That of a call, which is stored,
	// is a string that is cut where it is longer than fits into MaxData.
	Body json.RawMessage `json:"body,omitempty"`
}

// NotifyWork is something to tell people.
type NotifyWork struct {
	Pipeline string   `json:"pipeline"` // whose notifications they are
	To       []string `json:"to,omitempty"`
	Title    string   `json:"title"`
	Text     string   `json:"text"`
}

// VersionWork is a Version to record: what was deployed, and is ready.
type VersionWork struct {
	Application string   `json:"application"`
	Version     string   `json:"version"`
	Run         string   `json:"run,omitempty"`
	Image       string   `json:"image,omitempty"`     // by digest, where that is known
	Manifests   string   `json:"manifests,omitempty"` // YAML documents
	Blobs       []string `json:"blobs,omitempty"`     // with the rest of them
}

// TrafficSeen is who gets an application's traffic. No shares: nobody splits it.
type TrafficSeen struct {
	Shares []v1alpha1.VersionWeight `json:"shares,omitempty"`
}

// Share of a version, percent.
func (t TrafficSeen) Share(version string) int32 {
	for _, v := range t.Shares {
		if v.Version == version {
			return v.Weight
		}
	}
	return 0
}

// maxChild leaves room for what others append to a name of 63.
const maxChild = 52

// ChildName names the object that a stage's attempt makes. It is the same after a
// crash, and no other attempt of any run has it.
func ChildName(r Run, stage string, attempt int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", r.UID, stage, attempt))
	name := fmt.Sprintf("%.*s", maxChild-11, fmt.Sprintf("%s-%s-%d", r.Name, stage, attempt))
	return strings.TrimRight(name, "-.") + "-" + hex.EncodeToString(sum[:])[:10]
}

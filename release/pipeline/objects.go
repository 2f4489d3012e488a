package pipeline

import (
	"encoding/json"
	"strings"
)

// Kinds of actions and looks on objects of the cluster, all in the run's namespace.
// Doing one again does nothing twice, and one that was decided before one that was done changes nothing.
const (
	ApplyObjects  = "objects/apply"      // data: ObjectsWork; gives ObjectsDone
	PatchObject   = "objects/patch"      // data: ObjectPatch
	ScaleObject   = "objects/scale"      // data: ObjectScale
	RestartObject = "objects/restart"    // data: ObjectRef
	DeleteObject  = "objects/delete"     // data: ObjectRef; of those that were there when that was decided; gives ObjectsGone
	SeeObject     = "objects/get"        // data: ObjectLook; finds ObjectSeen
	CreateJob     = "objects/job"        // data: JobWork
	DeleteJob     = "objects/job-delete" // data: Child, of CreateJob
	SeeJob        = "objects/job-get"    // data: JobLook; finds JobSeen
)

// ObjectRef names an object of the run's namespace, or several by their labels.
type ObjectRef struct {
	APIVersion string `json:"apiVersion"` // apps/v1
	Kind       string `json:"kind"`
	Name       string `json:"name,omitempty"`
	Selector   string `json:"selector,omitempty"` // instead of a name
}

// String is for people.
func (r ObjectRef) String() string {
	if r.Selector != "" {
		return r.Kind + " with " + r.Selector
	}
	return strings.TrimSpace(r.Kind + " " + r.Name)
}

// ObjectsWork is objects to make so: the fields that manifests say, and no others.
type ObjectsWork struct {
	Manifests string `json:"manifests"` // YAML documents
	// Blobs that have the rest of them, in their order, each with its parts.
	Blobs []string `json:"blobs,omitempty"`
}

// ObjectsDone is what was made so.
type ObjectsDone struct {
	Count int         `json:"count"`
	Wait  []ObjectRef `json:"wait,omitempty"` // those that have instances
}

// ObjectPatch is a change of objects.
type ObjectPatch struct {
	Object ObjectRef       `json:"object"`
	Type   string          `json:"type"` // strategic, merge, json
	Patch  json.RawMessage `json:"patch"`
}

// ObjectScale gives objects so many instances each.
type ObjectScale struct {
	Object   ObjectRef `json:"object"`
	Replicas int       `json:"replicas"`
}

// ObjectLook is which objects to see.
type ObjectLook struct {
	Object ObjectRef `json:"object"`
	UIDs   []string  `json:"uids,omitempty"` // others do not count; none: all do
}

// ObjectsGone is what was deleted, and may still be ending.
type ObjectsGone struct {
	UIDs []string `json:"uids"`
}

// ObjectSeen is what there is of objects.
type ObjectSeen struct {
	Objects  int    `json:"objects"`          // none: there are none, or no more
	Ready    bool   `json:"ready,omitempty"`  // each is as its spec says
	Failed   bool   `json:"failed,omitempty"` // one will not be without a change
	Why      string `json:"why,omitempty"`    // one is not ready, in one sentence
	Wanted   int    `json:"wanted,omitempty"` // instances of all
	ReadyNow int    `json:"readyNow,omitempty"`
}

// JobWork is a Job to make. What its manifest does not say is tried once, and it stays until it is deleted.
type JobWork struct {
	Name     string `json:"name"`               // ChildName
	Manifest string `json:"manifest"`           // of a Job; its name is not used
	Deadline int64  `json:"deadline,omitempty"` // seconds; 0: as the manifest says
}

// JobLook is which Job to see, and what to read when it has ended.
type JobLook struct {
	Name        string `json:"name"`
	Container   string `json:"container,omitempty"` // default: the first
	OutputsFrom string `json:"outputsFrom,omitempty"`
}

// JobSeen is what there is of a Job. With an end: what it said, small enough to be kept together.
type JobSeen struct {
	Missing bool              `json:"missing,omitempty"`
	Ended   bool              `json:"ended,omitempty"` // or it never will by itself
	Failed  bool              `json:"failed,omitempty"`
	Why     string            `json:"why,omitempty"` // how it stands, in one sentence
	Log     string            `json:"log,omitempty"` // its last lines
	Outputs map[string]string `json:"outputs,omitempty"`
}

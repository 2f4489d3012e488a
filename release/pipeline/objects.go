package pipeline

import "encoding/json"

// Kinds of actions and looks on objects of the cluster, all in the run's namespace.
// Doing one again does nothing twice, and one that was decided before one that was done changes nothing.
const (
	ApplyObjects = "objects/apply"  // data: ObjectsWork; gives ObjectsDone
	PatchObject  = "objects/patch"  // data: ObjectPatch
	ScaleObject  = "objects/scale"  // data: ObjectScale
	DeleteObject = "objects/delete" // data: ObjectDelete
	CreateJob    = "objects/job"    // data: JobWork
	SeeObject    = "objects/get"    // data: ObjectRef; finds ObjectSeen
)

// ObjectRef names an object of the run's namespace.
type ObjectRef struct {
	APIVersion string `json:"apiVersion"` // apps/v1
	Kind       string `json:"kind"`
	Name       string `json:"name"`
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

// ObjectPatch is a change of one object.
type ObjectPatch struct {
	Object ObjectRef       `json:"object"`
	Type   string          `json:"type"` // strategic, merge, json
	Patch  json.RawMessage `json:"patch"`
}

// ObjectScale gives an object so many instances.
type ObjectScale struct {
	Object   ObjectRef `json:"object"`
	Replicas int       `json:"replicas"`
}

// ObjectDelete deletes an object that was there when that was decided.
type ObjectDelete struct {
	Object  ObjectRef `json:"object"`
	Cascade string    `json:"cascade,omitempty"` // background (default), foreground, orphan
	Grace   *int64    `json:"grace,omitempty"`   // seconds; nil: the object's own
}

// JobWork is a Job to make.
type JobWork struct {
	Name     string `json:"name"`     // ChildName
	Manifest string `json:"manifest"` // of a Job; its name is not used
}

// ObjectSeen is what there is of an object.
type ObjectSeen struct {
	Missing  bool   `json:"missing,omitempty"`
	Ready    bool   `json:"ready,omitempty"`  // it is as its spec says: all instances, or a Job that is complete
	Failed   bool   `json:"failed,omitempty"` // it will not be without a change
	Why      string `json:"why,omitempty"`    // it is not ready, in one sentence
	Wanted   int    `json:"wanted,omitempty"` // instances
	ReadyNow int    `json:"readyNow,omitempty"`
}

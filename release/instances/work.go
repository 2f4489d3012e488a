package instances

// See is the kind of a run's look at an application; its data is a Question, and it
// finds a map of Seen by version.
const See = "instances/get"

// Kind is that of a run's action with the verb: "instances/deploy". Its data is a
// Work, and doing it again does nothing twice.
func (v Verb) Kind() string { return "instances/" + string(v) }

// Question is which application to look at, in the run's namespace.
type Question struct {
	Application string `json:"application"`
}

// Work is what a stage of a run wants done: an Action whose id and number are those
// of the run's action.
type Work struct {
	Application string `json:"application"`
	Version     string `json:"version"`
	Replicas    int    `json:"replicas,omitempty"`
	Image       string `json:"image,omitempty"`
	Manifests   string `json:"manifests,omitempty"` // YAML documents
	// Blobs that have the rest of the manifests, in their order, each with its parts.
	Blobs []string `json:"blobs,omitempty"`
}

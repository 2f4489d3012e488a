package web

// RightsPath is where pages ask beforehand what an API server does not let who asks do.
const RightsPath = "rights"

// Rights are what who asks may not do in a namespace. What is not there they may, or only doing it tells.
type Rights struct {
	Not map[string]string `json:"not"` // why, by Act
}

// What a page does, by the right that it takes.
const (
	ActRelease  = "release"  // start one, or an undo
	ActSteer    = "steer"    // abort or promote one
	ActRun      = "run"      // start one of a pipeline
	ActDecide   = "decide"   // in a run: judge, cancel
	ActPipeline = "pipeline" // write one
	ActFreeze   = "freeze"
	ActUnfreeze = "unfreeze"
)

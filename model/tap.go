package model

import "time"

const (
	// TapSwitch is the runtime key with which a proxy tells its agent of requests: the percentage of them.
	TapSwitch = "weft.tap"
	// TapSide is the tag that says on which side of the proxy a request was seen.
	TapSide = "side"
	TapIn   = "in"  // it came to the workload
	TapOut  = "out" // the workload made it, or it came to a gateway
	// TapFrom is the tag that says what caused the route, as a list in JSON.
	TapFrom = "from"
)

// Tap asks an agent to hand on what its proxy says of each request that ends.
type Tap struct {
	For time.Duration `json:"for"` // from now on; it ends by itself, unless asked for again
}

// Tapped is what passed since the last one.
type Tapped struct {
	Batches [][]byte `json:"batches,omitempty"` // of Envoy's StreamAccessLogsMessage
	Left    int      `json:"left,omitempty"`    // requests that were left out: there were too many
}

package model

// Codes of problems. They are stable: people filter and script by them.
const (
	ProblemInvalid        = "Invalid"        // the object cannot be read, or contradicts itself
	ProblemMissingService = "MissingService" // it names a service that does not exist
	ProblemMissingCaller  = "MissingCaller"  // it lets somebody call who is not there
	ProblemMissingPort    = "MissingPort"    // the service has no such port
	ProblemMissingSubset  = "MissingSubset"  // no policy defines the subset
	ProblemMissingGateway = "MissingGateway" // it attaches to a gateway or listener that does not exist
	ProblemMissingSecret  = "MissingSecret"  // it names a certificate that does not exist
	ProblemHostConflict   = "HostConflict"   // the host belongs to another namespace or object
	ProblemConflict       = "Conflict"       // an older object decides the same thing
	ProblemNotPermitted   = "NotPermitted"   // the owner of what it names did not allow it
	ProblemNotHonoured    = "NotHonoured"    // weft does not do this (yet)
	ProblemUnreachable    = "Unreachable"    // a rule that no request can reach
	ProblemMissingKeys    = "MissingKeys"    // the keys of its tokens cannot be had
	ProblemMissingModule  = "MissingModule"  // the code that it names cannot be had
	ProblemRefused        = "Refused"        // a proxy refused what came of it
	ProblemEvadable       = "Evadable"       // it denies by what may be written in other ways
	ProblemHeld           = "Held"           // too much disappeared at once: it stays in effect
	ProblemStale          = "Stale"          // the newest cannot be had: what was read before is in effect
)

// Problem says why an object has no or only partial effect. It never stops
// other objects, and ends in the object's status.
type Problem struct {
	Object     Key
	Generation int64  // of the object when the problem was found; 0: unknown
	Code       string // one of the constants above
	Path       string // in the object
	Message    string // one sentence: what is wrong and what would help
}

func (p Problem) Equal(o Problem) bool { return p == o }

// Key is unique by object, place, code and text.
func (p Problem) Key() string {
	return p.Object.String() + "|" + p.Path + "|" + p.Code + "|" + p.Message
}

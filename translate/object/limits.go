package object

// Limits of one object. Whoever needs more splits the object.
const (
	MaxString   = 4096     // bytes of one string
	MaxBody     = 64 << 10 // bytes of a response body
	MaxList     = 1000     // entries of one list or map
	MaxRegex    = 1024     // bytes of one regular expression
	MaxProgram  = 2000     // instructions that a regular expression compiles to; a proxy may take less
	MaxMatches  = 1000     // matches of all rules of one route object
	MaxProblems = 50       // problems that one object reports; the last says how many more there are
)

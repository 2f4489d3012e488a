package explain

// Normal is the path that a proxy reads.
var Normal = normal

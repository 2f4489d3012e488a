package compile

// For the tests that compile what people write, which the package itself must
// not know of.
var (
	Validate    = validate
	EnvoyBinary = envoyBinary
)

package compile

// Validate is for the tests that compile what people write, which the package
// itself must not know of.
var Validate = validate

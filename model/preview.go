package model

import "bytes"

// A preview leads somebody outside to a version that has no traffic: a JWT that weft signs and
// gateways verify by themselves. Where it stands in a request, and what it says:
const (
	PreviewHeader = "x-weft-preview"
	PreviewParam  = "weft-preview" // query parameter, and the cookie that it becomes
	PreviewIssuer = "weft-preview" // iss
	PreviewTo     = "to"           // by domain of a gateway's routes: the value of VersionHeader
	PreviewEnds   = "ends"         // exp again, in words of HTTP
)

// PreviewKey verifies previews: a point on P-256, its coordinates in 32 bytes. Key: id.
type PreviewKey struct {
	ID   string // kid
	X, Y []byte
}

func (k PreviewKey) Key() string { return k.ID }
func (k PreviewKey) Equal(o PreviewKey) bool {
	return k.ID == o.ID && bytes.Equal(k.X, o.X) && bytes.Equal(k.Y, o.Y)
}

// Address is the private address of a version, for VersionHeader. Other than SERVICE=VERSION it means
// no service of another namespace.
func (s Split) Address(version string) string {
	if _, namespace, ok := SplitHost(s.Host); ok {
		return s.Service + "." + namespace + "=" + version
	}
	return s.Service + "=" + version
}

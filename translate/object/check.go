package object

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"time"

	"weft.dev/model"
)

// Host resolves a host as an object names it: a name without a dot is a service
// of the object's own namespace.
func (o *Object) Host(host string) string { return Host(o.Namespace, host) }

// Host resolves a host that an object of the namespace names.
func Host(namespace, host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "" || strings.ContainsAny(host, ".*:") {
		return host
	}
	return model.HostOf(namespace, host)
}

var (
	hostForm   = regexp.MustCompile(`^(\*|(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*)$`)
	headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
	formatForm = regexp.MustCompile(`^([^%]|%%|%[A-Z_0-9]+(\([^)%]*\))?(:[0-9]+)?%)*$`)
)

const maxHost = 253

// CheckHost reports a host that no request can name.
func (o *Object) CheckHost(at Path, host string) bool {
	if !IsHost(host) {
		o.Invalid(at, "%q is no host name; write a name, a name after \"*.\", or \"*\"", abbreviate(host))
		return false
	}
	return true
}

// IsHost says whether a request can name the host.
func IsHost(host string) bool { return len(host) <= maxHost && hostForm.MatchString(host) }

// CheckPort reports what is no port number.
func (o *Object) CheckPort(at Path, port uint32) bool {
	if port == 0 || port > 65535 {
		o.Invalid(at, "%d is no port; write a number from 1 to 65535", port)
		return false
	}
	return true
}

// CheckRegex reports an expression that Envoy would refuse, or that costs too
// much to match.
func (o *Object) CheckRegex(at Path, expr string) bool {
	if len(expr) > MaxRegex {
		o.Invalid(at, "the regular expression has %d bytes, more than %d; split it", len(expr), MaxRegex)
		return false
	}
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		o.Invalid(at, "the regular expression %q is not RE2: %s", abbreviate(expr), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return false
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil || len(program.Inst) > MaxProgram {
		o.Invalid(at, "the regular expression %q is too large when compiled; use smaller repeat counts", abbreviate(expr))
		return false
	}
	return true
}

// CheckHeaderName reports what is no name of a header.
func (o *Object) CheckHeaderName(at Path, name string) bool {
	if !headerForm.MatchString(name) {
		o.Invalid(at, "%q is no header name", abbreviate(name))
		return false
	}
	return true
}

// CheckHeaderValue reports a value that Envoy's format language refuses.
func (o *Object) CheckHeaderValue(at Path, value string) bool {
	if !formatForm.MatchString(value) {
		o.Invalid(at, "the value %q has a %% sign that begins no variable; write %%%% for the sign itself", abbreviate(value))
		return false
	}
	return true
}

// Durations beyond these are mistakes, and Envoy counts in milliseconds.
const (
	minDuration = time.Millisecond
	maxDuration = 24 * 365 * time.Hour
)

// ProtoDuration is google.protobuf.Duration, as far as it is needed here.
type ProtoDuration interface {
	CheckValid() error
	AsDuration() time.Duration
	GetSeconds() int64
	GetNanos() int32
}

// Duration reads a duration; 0 where it is 0 or not usable.
func (o *Object) Duration(at Path, d ProtoDuration) time.Duration {
	if err := d.CheckValid(); err != nil {
		if d.GetSeconds() != 0 || d.GetNanos() != 0 {
			o.Invalid(at, "is no usable duration; write one such as 250ms or 2s")
		}
		return 0
	}
	return o.CheckDuration(at, d.AsDuration())
}

// CheckDuration gives the duration back, or 0 if it is not usable.
func (o *Object) CheckDuration(at Path, d time.Duration) time.Duration {
	if d != 0 && (d < minDuration || d > maxDuration) {
		o.Invalid(at, "%s is out of range; write 1ms or more", d)
		return 0
	}
	return d
}

// Percent bounds a share.
func (o *Object) Percent(at Path, percent float64) float64 {
	if !(percent >= 0 && percent <= 100) { // NaN too
		o.Invalid(at, "%g is no percentage; write 0 to 100", percent)
		return 0
	}
	return percent
}

// Count reads a number that must not be negative.
func (o *Object) Count(at Path, n int32) uint32 {
	if n < 0 {
		o.Invalid(at, "%d is negative", n)
		return 0
	}
	return uint32(n)
}

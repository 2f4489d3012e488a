package ratelimit

import "time"

// Rate is how a bucket fills, and how much it holds.
type Rate struct {
	Requests uint32        `json:"requests"` // within Per
	Per      time.Duration `json:"per"`
	Burst    uint32        `json:"burst"` // at once
}

// gap is the time in which one request more is let in, nanoseconds.
func (r Rate) gap() int64 { return max(1, int64(r.Per)/max(1, int64(r.Requests))) }

// Decision is what becomes of one request at one limit.
type Decision struct {
	Allowed   bool          `json:"allowed,omitempty"`
	Remaining uint32        `json:"remaining,omitempty"` // requests that are let in at once, after this one
	Wait      time.Duration `json:"wait,omitempty"`      // until there is room again; 0: there is
	Full      time.Duration `json:"full,omitempty"`      // until the bucket is full
}

// decide takes hits out of the bucket that is full at full, Unix nanoseconds. What is not let in takes nothing.
func (r Rate) decide(full int64, hits uint32, now int64) (Decision, int64) {
	gap := r.gap()
	room := gap * int64(r.Burst)
	full = max(full, now)
	next := full + gap*int64(hits)
	if over := next - now - room; over > 0 {
		return Decision{Wait: time.Duration(over), Full: time.Duration(full - now)}, full
	}
	return Decision{Allowed: true, Remaining: uint32((room - (next - now)) / gap), Full: time.Duration(next - now)}, next
}

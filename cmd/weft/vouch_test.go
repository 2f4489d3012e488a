package main

import (
	"context"
	"testing"
	"time"
)

// What vouches is asked again, and believed no longer than for a while.
func TestVouchingIsReadAgain(t *testing.T) {
	now, reads, why := time.Unix(100, 0), 0, ""
	v := &vouching{now: func() time.Time { return now }, read: func(context.Context) (time.Time, string) {
		reads++
		return time.Unix(50, 0), why
	}}
	for range 3 {
		if since, got := v.vouched(t.Context()); got != "" || since.Unix() != 50 || reads != 1 {
			t.Errorf("%v %q after %d reads", since, got, reads)
		}
	}
	why, now = "it is gone", now.Add(vouchedFor)
	if _, got := v.vouched(t.Context()); got != "it is gone" {
		t.Errorf("%q", got)
	}
}

package main

import (
	"context"
	"testing"

	"weft.dev/api/v1alpha1"
)

// A freeze that was there when somebody asked is seen, also by who asks while an older list is on its way.
func TestFrozen(t *testing.T) {
	seen, answer := make(chan struct{}), make(chan []*v1alpha1.Freeze)
	r := &rails{freezes: func(context.Context) ([]*v1alpha1.Freeze, error) {
		seen <- struct{}{}
		return <-answer, nil
	}}
	ask := func(want int, done chan<- struct{}) {
		defer close(done)
		if got, err := r.frozen(t.Context()); err != nil || len(got) != want {
			t.Errorf("%d of %d freezes, %v", len(got), want, err)
		}
	}
	before, after := make(chan struct{}), make(chan struct{})
	go ask(0, before)
	<-seen
	go ask(1, after)
	answer <- nil
	<-before
	select {
	case <-seen:
		answer <- []*v1alpha1.Freeze{{}}
		<-after
	case <-after:
	}
}

package main

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
)

// A list that somebody holds stays as it was; who looks after a change has it, in order.
func TestListedInOrder(t *testing.T) {
	l := &newLists().releases
	release := func(namespace, name string) *v1alpha1.Release {
		return &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	}
	is := func(what string, want ...string) {
		t.Helper()
		var got []string
		for _, r := range l.all() {
			got = append(got, r.Namespace+"/"+r.Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	is("at first")
	l.set(release("shop", "b"), false)
	is("one", "shop/b")
	held := l.all()
	l.set(release("shop", "a"), false)
	l.set(release("shop-2", "a"), false)
	is("three", "shop/a", "shop/b", "shop-2/a")
	l.set(release("shop", "b"), true)
	is("one is gone", "shop/a", "shop-2/a")
	if len(held) != 1 || held[0].Name != "b" {
		t.Errorf("who looked before holds %v now", held)
	}
}

package mesh

import (
	"context"
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
)

// store is splits in memory; a write over an old resourceVersion conflicts.
type store struct {
	splits []v1alpha1.TrafficSplit
	writes int
	lists  int
	// between runs once between a read and the next write.
	between func()
}

type splitStore struct{ *store }

func (s splitStore) Get(_ context.Context, _, name string) (*v1alpha1.TrafficSplit, error) {
	for _, x := range s.splits {
		if x.Name == name {
			return x.DeepCopy(), nil
		}
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{}, name)
}

func (s splitStore) List(context.Context, string) (out []*v1alpha1.TrafficSplit, _ error) {
	s.lists++
	for _, x := range s.splits {
		out = append(out, x.DeepCopy())
	}
	return out, nil
}

func (s splitStore) Create(_ context.Context, x *v1alpha1.TrafficSplit) (*v1alpha1.TrafficSplit, error) {
	for _, old := range s.splits {
		if old.Name == x.Name {
			return nil, apierrors.NewAlreadyExists(schema.GroupResource{}, x.Name)
		}
	}
	x.ResourceVersion, x.Generation = "1", 1
	s.splits = append(s.splits, *x.DeepCopy())
	s.writes++
	return x, nil
}

func (s splitStore) Update(_ context.Context, x *v1alpha1.TrafficSplit) (*v1alpha1.TrafficSplit, error) {
	if s.between != nil {
		s.between()
		s.between = nil
	}
	old := &s.splits[0]
	if old.ResourceVersion != x.ResourceVersion {
		return nil, apierrors.NewConflict(schema.GroupResource{}, x.Name, errors.New("changed meanwhile"))
	}
	*old = *x.DeepCopy()
	old.ResourceVersion += "+"
	old.Generation++
	s.writes++
	return old, nil
}

type quiet struct{}

func (quiet) Healthy(t release.Target) map[string]int { return map[string]int{t.Application: 2} }

func (quiet) Applied(_, name string, generation int64) release.Applied {
	return release.Applied{Known: true, Missing: []string{fmt.Sprintf("%s@%d", name, generation)}}
}

func (quiet) Traffic(t release.Target) map[string]map[string]release.Counts {
	return map[string]map[string]release.Counts{t.Service: {}}
}

func (quiet) Routes(t release.Target) map[string]map[string]release.Counts {
	return map[string]map[string]release.Counts{t.Application: {}}
}

func weights(kv ...any) (out []v1alpha1.VersionWeight) {
	for i := 0; i < len(kv); i += 2 {
		out = append(out, v1alpha1.VersionWeight{Version: kv[i].(string), Weight: int32(kv[i+1].(int))})
	}
	return out
}

// person writes a split by hand.
func (s *store) person(kv ...any) {
	if len(s.splits) == 0 {
		s.splits = []v1alpha1.TrafficSplit{{ObjectMeta: metav1.ObjectMeta{Name: "reviews"}, Spec: v1alpha1.TrafficSplitSpec{Service: "reviews"}}}
	}
	s.splits[0].Spec.Versions = weights(kv...)
	s.splits[0].ResourceVersion += "p"
	s.splits[0].Generation++
}

func (s *store) action(id string, kv ...any) {
	s.person(kv...)
	write(&s.splits[0], release.Action{Release: id[:1], Seq: int(id[2] - '0'), Versions: weights(kv...)})
}

func TestDo(t *testing.T) {
	start := &release.Split{Versions: weights("v2", 100)}
	canary := release.Action{Release: "a", Seq: 2, Service: "reviews", Versions: weights("v2", 95, "v3", 5), Before: start}
	for _, c := range []struct {
		name   string
		given  func(*store)
		action release.Action
		err    error // ErrChanged; nil: none
		writes int
		want   string
	}{
		{"as the release found it", func(s *store) { s.person("v2", 100) }, canary, nil, 1, "v2 95%, v3 5%"},
		{"after its own earlier action", func(s *store) { s.action("a/1", "v2", 100, "v3", 0) }, canary, nil, 1, "v2 95%, v3 5%"},
		{"done already", func(s *store) { s.action("a/2", "v2", 95, "v3", 5) }, canary, nil, 0, "v2 95%, v3 5%"},
		{"done, and changed by a person since", func(s *store) { s.action("a/2", "v2", 95, "v3", 5); s.person("v2", 50, "v3", 50) }, canary, nil, 0, "v2 50%, v3 50%"},
		{"replaced by a later action", func(s *store) { s.action("a/3", "v2", 100, "v3", 0) }, canary, nil, 0, "v2 100%, v3 0%"},
		{"its earlier action was changed by a person", func(s *store) { s.action("a/1", "v2", 100, "v3", 0); s.person("v2", 50, "v3", 50) }, canary, release.ErrChanged, 0, "v2 50%, v3 50%"},
		{"a person changed it before", func(s *store) { s.person("v2", 99, "v3", 1) }, canary, release.ErrChanged, 0, "v2 99%, v3 1%"},
		{"another release wrote it", func(s *store) { s.action("b/1", "v2", 100) }, canary, release.ErrChanged, 0, "v2 100%"},
		{"it was deleted", func(*store) {}, canary, release.ErrChanged, 0, ""},
		{"there was none", func(*store) {}, release.Action{Release: "a", Seq: 1, Service: "reviews", Versions: weights("v3", 100)}, nil, 1, "v3 100%"},
		{"there was none, now a person made one", func(s *store) { s.person("v2", 100) }, release.Action{Release: "a", Seq: 1, Service: "reviews", Versions: weights("v3", 100)}, release.ErrChanged, 0, "v2 100%"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &store{}
			c.given(s)
			p := New(splitStore{s}, quiet{})
			for range 2 { // twice is as good as once
				if err := p.Do(t.Context(), c.action); !errors.Is(err, c.err) {
					t.Errorf("error %v, want %v", err, c.err)
				}
			}
			got := ""
			if len(s.splits) > 0 {
				got = release.FormatVersions(s.splits[0].Spec.Versions)
			}
			if got != c.want || s.writes != c.writes {
				t.Errorf("%d writes and %q, want %d and %q", s.writes, got, c.writes, c.want)
			}
		})
	}
}

// A person who writes between our read and our write wins.
func TestDoLosesARace(t *testing.T) {
	s := &store{}
	s.person("v2", 100)
	s.between = func() { s.person("v2", 70, "v3", 30) }
	p := New(splitStore{s}, quiet{})
	a := release.Action{Release: "a", Seq: 1, Service: "reviews", Versions: weights("v2", 100, "v3", 0), Before: &release.Split{Versions: weights("v2", 100)}}
	if err := p.Do(t.Context(), a); !apierrors.IsConflict(err) {
		t.Errorf("first try: %v, want a conflict", err)
	}
	if err := p.Do(t.Context(), a); !errors.Is(err, release.ErrChanged) || s.writes != 0 {
		t.Errorf("second try: %v after %d writes, want ErrChanged", err, s.writes)
	}
}

func TestObserve(t *testing.T) {
	s := &store{}
	p := New(splitStore{s}, quiet{})
	facts, err := p.Observe(t.Context(), release.Target{Namespace: "shop", Application: "reviews", Service: "reviews"})
	if err != nil || facts.Healthy["reviews"] != 2 || facts.Split != nil || facts.Applied.Known {
		t.Errorf("without a split: %+v, %v", facts, err)
	}
	s.action("a/1", "v2", 100)
	s.person("v2", 60, "v3", 40)
	facts, err = p.Observe(t.Context(), release.Target{Namespace: "shop", Application: "reviews", Service: "reviews"})
	if err != nil || facts.Split.Action != "a/1" || !facts.Split.Touched || facts.Applied.Missing[0] != "reviews@2" {
		t.Errorf("after a person's change: %+v, %v", facts, err)
	}
	if before := s.lists; before != 1 {
		t.Errorf("%d lists, want one, for the split that had not been there", before)
	}
	s.splits[0].Name = "by-hand"
	facts, err = p.Observe(t.Context(), release.Target{Namespace: "shop", Application: "reviews", Service: "reviews"})
	if err != nil || facts.Split == nil {
		t.Errorf("a split of another name: %+v, %v", facts, err)
	}
	s.splits = append(s.splits, s.splits[0])
	_, err = p.Observe(t.Context(), release.Target{Service: "reviews"})
	if doing := p.Do(t.Context(), release.Action{Release: "a", Seq: 2, Service: "reviews", Versions: weights("v2", 100)}); err == nil || doing == nil {
		t.Errorf("two splits of one service are no error: %v, %v", err, doing)
	}
}

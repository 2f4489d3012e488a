package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
)

// runs are named by letters, the oldest first; a capital one runs.
func runs(names string) (all []RunView) {
	for i, name := range strings.Split(names, "") {
		phase := v1alpha1.RunWaiting
		if strings.ToUpper(name) == name {
			phase = v1alpha1.RunAsking
		}
		all = append(all, RunView{Name: name, Created: noon.Add(time.Duration(i/2) * time.Second), Phase: phase})
	}
	return all
}

func TestAdmit(t *testing.T) {
	for _, c := range []struct {
		max          int32
		full, before string
		want         string // of those that wait: b begins, w waits, n never
	}{
		{0, "", "ab", "bw"},
		{1, "wait", "Abc", "ww"},
		{3, "wait", "Abcd", "bbw"},
		{1, "refuse", "ab", "bn"},
		{2, "refuse", "Aabc", "bnn"},
		{1, "replace", "Abcd", "nnw"},
		{2, "replace", "Abcd", "bnw"},
	} {
		t.Run(fmt.Sprint(c.max, c.full, c.before), func(t *testing.T) {
			all, got := runs(c.before), ""
			for i, run := range all {
				if run.Phase != v1alpha1.RunWaiting {
					continue
				}
				turn, why := Admit(v1alpha1.Concurrency{Max: c.max, Full: c.full}, run, slices.Delete(slices.Clone(all), i, i+1))
				got += string("bwn"[turn])
				if (why == "") != (turn == Begin) {
					t.Errorf("%s: %q", run.Name, why)
				}
			}
			if got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

package strategy

import (
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/instances"
)

// undone is an undo from v2 to v3, which served before.
func undone(t *testing.T) *scene {
	s := newScene(t, func(release.Judge) release.Strategy { return Undo() })
	s.in.Config.Strategy.Type = release.Undo
	return s
}

// A proxy that hangs keeps no undo from being written; it has ended when every proxy has it.
func TestUndoWaitsForNoProxy(t *testing.T) {
	s := undone(t).next(0).do()
	s.in.Facts.Applied.Missing = []string{"web-1"}
	s.next(1).want(progressing, "v2 0%, v3 100%", "").do()
	s.in.Facts.Applied.Missing = []string{"web-1"}
	s.next(1).want(progressing, "", "web-1")
	s.in.Facts.Applied.Missing = nil
	s.next(1).want(succeeded, "", "v3 has all traffic of reviews")
}

func TestUndoOfASplitByHand(t *testing.T) {
	s := undone(t)
	s.in.Facts.Split = &release.Split{Versions: []v1alpha1.VersionWeight{{Version: "v1", Weight: 20}, {Version: "v2", Weight: 60}, {Version: "v3", Weight: 20}}}
	s.next(0).want(progressing, "v2 100%, v3 0%", "").do().next(1).want(progressing, "v2 0%, v3 100%", "")
}

func TestUndoStartsWhatIsGone(t *testing.T) {
	gone := func() *scene {
		s := undone(t)
		s.in.Config.Runs, s.in.Config.Pinned = &v1alpha1.Runs{Host: &v1alpha1.HostRuns{}}, &release.Pinned{Image: "shop@1"}
		s.in.Facts.Instances = map[string]instances.Seen{}
		s.runs("v2", 4)
		s.in.Facts.Healthy["v3"] = 0
		return s
	}
	s := gone().next(0).want(pending, "", "v3 starts from its record")
	if s.out.Work.Image != "shop@1" {
		t.Errorf("%+v", s.out.Work)
	}
	s.works(instances.Deploy, "v3", 0).next(1).want(pending, "", "v3 starts from its record").runs("v3", 2)
	s.next(1).shifts("v2 100%, v3 0%").next(1).works(instances.Scale, "v3", 4)
	s.next(1).shifts("v2 0%, v3 100%").next(1)
	s.next(drain).works(instances.Settle, "v3", 0).next(1).works(instances.Scale, "v2", 0).next(1).want(succeeded, "", "v3 has all traffic")

	s = gone().next(0)
	s.in.Answer = release.Answer{ID: s.out.Work.ID, Err: "no cluster", Refused: true}
	s.next(1).want(failed, "", "v3 cannot be started again: no cluster; no traffic was moved")

	s = gone()
	s.in.Config.Pinned = nil
	s.next(0).want(failed, "", "nothing of reviews v3 runs, and there is no record of it")

	s = gone()
	s.in.Facts.Instances, s.in.Facts.Unseen = nil, "connection refused"
	s.next(0).want(pending, "", "instances cannot be seen: connection refused")
	s.next(10*time.Minute).want(failed, "", "no healthy workload")
}

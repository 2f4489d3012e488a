package pipeline

import (
	"fmt"
	"strings"

	"weft.dev/api/v1alpha1"
)

// Turn is whether a run that has not begun may.
type Turn int

const (
	Begin Turn = iota
	Await      // its turn comes
	Never      // it has to end: it was refused or replaced
)

// Admit says whether it is the run's turn beside the others of its pipeline, and if
// not, why. The others are all that have not ended; the answers of two of them never
// add up to more than may run at the same time.
func Admit(c v1alpha1.Concurrency, run RunView, others []RunView) (Turn, string) {
	limit := int(max(c.Max, 1))
	running, ahead, behind := 0, 0, 0
	for _, o := range others {
		switch {
		case o.Name == run.Name || Final(o.Phase):
		case o.Phase == v1alpha1.RunRunning || o.Phase == v1alpha1.RunAsking:
			running++
		case older(o, run) < 0:
			ahead++
		default:
			behind++
		}
	}
	switch {
	case running+ahead < limit:
		return Begin, ""
	case c.Full == "refuse":
		return Never, fmt.Sprintf("refused: %d run already, and no more than %d may", running, limit)
	case c.Full == "replace" && behind > 0:
		return Never, "replaced by a newer run"
	}
	return Await, fmt.Sprintf("waits for its turn: %d run, %d wait before it, and no more than %d may run", running, ahead, limit)
}

// older orders runs by age.
func older(a, b RunView) int {
	if n := a.Created.Compare(b.Created); n != 0 {
		return n
	}
	return strings.Compare(a.Name, b.Name)
}

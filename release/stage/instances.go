package stage

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/instances"
	"weft.dev/release/pipeline"
)

// Keys of looks at an application: two of one kind, because what was seen before an
// action says nothing about after it.
const (
	before    = "before"
	after     = "after"
	shares    = "traffic"
	seesEvery = 2 * time.Second
)

// order has one version changed, and ends when that is to be seen. It is safe to repeat.
type order struct {
	verb instances.Verb
	work instances.Work
	// ends: no instance is left then, so that a version with traffic is refused.
	ends  bool
	done  func(instances.Seen) bool
	wrong error // with what the stage says
}

func (o order) looks(in pipeline.StageInput) []pipeline.Look {
	switch {
	case o.wrong != nil: // next says so
		return nil
	case in.Open == nil && o.ends:
		return []pipeline.Look{lookAt(shares, pipeline.SeeTraffic, o.work.Application)}
	case in.Open == nil || pending(in.Open):
		return nil
	}
	return []pipeline.Look{lookAt(after, instances.See, o.work.Application)}
}

func lookAt(key, kind, application string) pipeline.Look {
	return pipeline.Look{Key: key, Kind: kind, Data: encode(instances.Question{Application: application}), Every: seesEvery}
}

func (o order) next(in pipeline.StageInput) pipeline.StageOutcome {
	if o.wrong != nil && in.Cancel == "" {
		return failed(o.wrong.Error())
	}
	if in.Open == nil && in.Cancel == "" {
		if o.work.Application == "" {
			return failed(nameless)
		}
		if out := mayEnd(in, o.work); o.ends && out.Why != "" {
			return out
		}
	}
	return o.deed().next(in)
}

const nameless = "neither the stage nor its pipeline names an application"

func (o order) deed() deed {
	return deed{what: fmt.Sprintf("%s of %s %s", o.verb, o.work.Application, o.work.Version), kind: o.verb.Kind(), data: o.work, see: o.await}
}

func (o order) act() pipeline.StageOutcome { return o.deed().act() }

// await is how the stage stands by what is seen after the action.
func (o order) await(in pipeline.StageInput) pipeline.StageOutcome {
	all, why := versions(in, after)
	if all == nil {
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: why}
	}
	seen := all[o.work.Version]
	out := pipeline.StageOutcome{Phase: pipeline.Running, Why: stands(o.work, seen)}
	switch {
	case o.done(seen):
		out.Phase = pipeline.Succeeded
		out.Outputs = encode(map[string]any{"application": o.work.Application, "version": o.work.Version, "replicas": seen.Wanted})
	case seen.Failed:
		out.Phase = pipeline.Failed
	}
	return out
}

// stands is a version in words.
func stands(w instances.Work, seen instances.Seen) string {
	text := fmt.Sprintf("%s %s: %d of %d instances are ready", w.Application, w.Version, seen.Ready, seen.Wanted)
	if extra := seen.Running - seen.Wanted; extra > 0 {
		text += fmt.Sprintf(", %d more end", extra)
	}
	if seen.Why != "" {
		text += ": " + seen.Why
	}
	return text
}

// complete reports whether a version has what it was told to have, and nothing else.
func complete(s instances.Seen) bool { return s.Ready >= s.Wanted && s.Running == s.Wanted }

// versions are those of the application that a look found; nil: why they are not known.
func versions(in pipeline.StageInput, key string) (map[string]instances.Seen, string) {
	fact, known := in.Facts[key]
	all := map[string]instances.Seen{}
	if known && fact.Err == "" {
		if err := json.Unmarshal(fact.Data, &all); err == nil {
			return all, ""
		}
	}
	return nil, strings.TrimSpace("does not see the instances yet " + fact.Err)
}

// mayEnd says why a version must not end now; without a Why it may.
func mayEnd(in pipeline.StageInput, w instances.Work) pipeline.StageOutcome {
	seen, why := traffic(in)
	switch {
	case seen == nil:
		return pipeline.StageOutcome{Phase: pipeline.Running, Why: why}
	case len(seen.Shares) == 0:
		return failed(fmt.Sprintf("%s has no TrafficSplit, so that each version that runs has traffic: release one of them first", w.Application))
	case seen.Share(w.Version) > 0:
		return failed(fmt.Sprintf("%s %s has %d%% of the traffic: release another version first", w.Application, w.Version, seen.Share(w.Version)))
	}
	return pipeline.StageOutcome{}
}

// traffic is who gets the application's; nil: why that is not known.
func traffic(in pipeline.StageInput) (*pipeline.TrafficSeen, string) {
	fact, known := in.Facts[shares]
	var seen pipeline.TrafficSeen
	if !known || fact.Err != "" || json.Unmarshal(fact.Data, &seen) != nil {
		return nil, strings.TrimSpace("does not see the traffic yet " + fact.Err)
	}
	return &seen, ""
}

// replicas is a number of instances; none: 0.
func replicas(text string) (int, error) {
	n, err := strconv.Atoi(cmp.Or(text, "0"))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("replicas: %q is no number of instances", text)
	}
	return n, nil
}

var (
	errReplicas = errors.New("replicas: say how many instances, such as 3")
	errNameless = errors.New(nameless)
)

// work is what a stage has done: an order for a version, or a touch of objects.
type work interface {
	looks(in pipeline.StageInput) []pipeline.Look
	next(in pipeline.StageInput) pipeline.StageOutcome
}

// scale gives a version, or objects, more instances, or fewer. Outputs: application, version, replicas; or those of touch.
type scale struct{}

func (scale) work(in pipeline.StageInput) work {
	c := in.Config.(*v1alpha1.ScaleStage)
	n, err := replicas(c.Replicas)
	if c.Replicas == "" {
		err = errReplicas
	}
	if c.Object != nil {
		return touch{
			verb: "scale", kind: pipeline.ScaleObject, target: *c.Object, kinds: scalable, wrong: err,
			data: func(ref pipeline.ObjectRef) any { return pipeline.ObjectScale{Object: ref, Replicas: n} },
		}
	}
	return order{
		verb: instances.Scale, ends: n == 0, wrong: err,
		work: instances.Work{Application: cmp.Or(c.Application, in.Run.Application), Version: c.Version, Replicas: n},
		done: func(s instances.Seen) bool { return s.Wanted == n && complete(s) },
	}
}

func (k scale) Looks(in pipeline.StageInput) []pipeline.Look      { return k.work(in).looks(in) }
func (k scale) Next(in pipeline.StageInput) pipeline.StageOutcome { return k.work(in).next(in) }

// restart replaces the instances of a version, or of objects. Outputs: as scale.
type restart struct{}

func (restart) work(in pipeline.StageInput) work {
	c := in.Config.(*v1alpha1.RestartStage)
	if c.Object != nil {
		return touch{verb: "restart", kind: pipeline.RestartObject, target: *c.Object, kinds: scalable}
	}
	return order{
		verb: instances.Restart, done: complete,
		work: instances.Work{Application: cmp.Or(c.Application, in.Run.Application), Version: c.Version},
	}
}

func (k restart) Looks(in pipeline.StageInput) []pipeline.Look      { return k.work(in).looks(in) }
func (k restart) Next(in pipeline.StageInput) pipeline.StageOutcome { return k.work(in).next(in) }

// remove ends a version that has no traffic, or deletes objects. Outputs: as scale, with 0 of them.
type remove struct{}

func (remove) work(in pipeline.StageInput) work {
	c := in.Config.(*v1alpha1.DeleteStage)
	if c.Object != nil {
		return touch{verb: "delete", kind: pipeline.DeleteObject, target: *c.Object, gone: true}
	}
	return order{
		verb: instances.Delete, ends: true, done: func(s instances.Seen) bool { return s.Running == 0 },
		work: instances.Work{Application: cmp.Or(c.Application, in.Run.Application), Version: c.Version},
	}
}

func (k remove) Looks(in pipeline.StageInput) []pipeline.Look      { return k.work(in).looks(in) }
func (k remove) Next(in pipeline.StageInput) pipeline.StageOutcome { return k.work(in).next(in) }

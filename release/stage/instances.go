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
	ends bool
	done func(instances.Seen) bool
}

func (o order) looks(in pipeline.StageInput) []pipeline.Look {
	switch {
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
	switch open := in.Open; {
	case open == nil && in.Cancel != "":
		return cancelled(in.Cancel)
	case in.Cancel != "":
		return cancelled(fmt.Sprintf("%s; %s of %s %s is not taken back", in.Cancel, o.verb, o.work.Application, o.work.Version))
	case open == nil && o.work.Application == "":
		return failed(nameless)
	case open == nil && o.ends:
		if out := mayEnd(in, o.work); out.Why != "" {
			return out
		}
		return o.act()
	case open == nil || pending(open):
		return o.act()
	case open.Result != nil && !open.Result.OK:
		return failed(open.Result.Text)
	}
	return o.await(in)
}

const nameless = "neither the stage nor its pipeline names an application"

func (o order) act() pipeline.StageOutcome {
	return pipeline.StageOutcome{
		Phase: pipeline.Running, Why: fmt.Sprintf("%s of %s %s", o.verb, o.work.Application, o.work.Version),
		Act: &pipeline.Action{Kind: o.verb.Kind(), Safe: true, Data: encode(o.work)},
	}
}

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

// scale gives a version more instances, or fewer. Outputs: application, version, replicas.
type scale struct{}

func (scale) order(in pipeline.StageInput) (order, error) {
	c := in.Config.(*v1alpha1.ScaleStage)
	n, err := replicas(c.Replicas)
	if c.Replicas == "" {
		err = errReplicas
	}
	return order{
		verb: instances.Scale, ends: n == 0,
		work: instances.Work{Application: cmp.Or(c.Application, in.Run.Application), Version: c.Version, Replicas: n},
		done: func(s instances.Seen) bool { return s.Wanted == n && complete(s) },
	}, err
}

func (k scale) Looks(in pipeline.StageInput) []pipeline.Look {
	o, err := k.order(in)
	if err != nil {
		return nil // Next says so
	}
	return o.looks(in)
}

func (k scale) Next(in pipeline.StageInput) pipeline.StageOutcome {
	o, err := k.order(in)
	if err != nil && in.Cancel == "" {
		return failed(err.Error())
	}
	return o.next(in)
}

// restart replaces the instances of a version. Outputs: application, version, replicas.
type restart struct{}

func (restart) order(in pipeline.StageInput) order {
	c := in.Config.(*v1alpha1.RestartStage)
	return order{
		verb: instances.Restart, done: complete,
		work: instances.Work{Application: cmp.Or(c.Application, in.Run.Application), Version: c.Version},
	}
}

func (k restart) Looks(in pipeline.StageInput) []pipeline.Look      { return k.order(in).looks(in) }
func (k restart) Next(in pipeline.StageInput) pipeline.StageOutcome { return k.order(in).next(in) }

// remove ends a version that has no traffic. Outputs: application, version, replicas (0).
type remove struct{}

func (remove) order(in pipeline.StageInput) order {
	c := in.Config.(*v1alpha1.DeleteStage)
	return order{
		verb: instances.Delete, ends: true, done: func(s instances.Seen) bool { return s.Running == 0 },
		work: instances.Work{Application: cmp.Or(c.Application, in.Run.Application), Version: c.Version},
	}
}

func (k remove) Looks(in pipeline.StageInput) []pipeline.Look      { return k.order(in).looks(in) }
func (k remove) Next(in pipeline.StageInput) pipeline.StageOutcome { return k.order(in).next(in) }

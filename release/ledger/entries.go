package ledger

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/audit"
	"weft.dev/release/pipeline"
)

// key is the same for what is the same.
func key(e audit.Entry) string {
	return strings.Join(append([]string{e.Kind, e.UID, e.Verb}, e.Changed...), "\x00")
}

func compare(a, b audit.Entry) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(key(a), key(b)))
}

// ofDecision is one that counted.
func ofDecision(o *v1alpha1.Decision) []audit.Entry {
	if o.Status.Accepted == nil || !*o.Status.Accepted {
		return nil
	}
	s := o.Spec
	return []audit.Entry{{
		Time: o.CreationTimestamp.Time, By: s.By, Groups: s.Groups, Verb: s.Verb, Kind: "Decision", Namespace: o.Namespace, Name: o.Name, UID: string(o.UID),
		Changed: []string{strings.TrimSpace(fmt.Sprintf("%s %s %s", s.Run, s.Stage, s.Choice))},
	}}
}

// ofFreeze is that it is there, or that it is gone: who took it away, the cluster's own audit knows.
func ofFreeze(o *v1alpha1.Freeze, deleted bool, now time.Time) []audit.Entry {
	s := o.Spec
	e := audit.Entry{
		Time: o.CreationTimestamp.Time, By: s.By, Groups: s.Groups, Verb: "freeze", Kind: "Freeze", Name: o.Name, UID: string(o.UID),
		Changed: []string{"reason: " + s.Reason},
	}
	all := []audit.Entry{e}
	if deleted {
		e.Time, e.By, e.Groups, e.Verb, e.Changed = now, "", nil, "unfreeze", nil
		all = append(all, e)
	}
	return all
}

// ofRun is that it began.
func ofRun(o *v1alpha1.PipelineRun) []audit.Entry {
	if o.Status.Started == nil {
		return nil
	}
	t := o.Spec.Trigger
	return []audit.Entry{{
		Time: o.Status.Started.Time, By: pipeline.Starter(t), Groups: t.Groups, Verb: "begin", Kind: "PipelineRun", Namespace: o.Namespace, Name: o.Name, UID: string(o.UID),
		Changed: []string{"pipeline: " + o.Spec.Pipeline},
	}}
}

// ofRelease is what it did to traffic and to instances, and who aborted or promoted it.
func ofRelease(o *v1alpha1.Release) (all []audit.Entry) {
	add := func(at time.Time, by string, groups []string, verb, changed string) {
		all = append(all, audit.Entry{
			Time: at, By: by, Groups: groups, Verb: verb, Kind: "Release", Namespace: o.Namespace, Name: o.Name, UID: string(o.UID), Changed: []string{changed},
		})
	}
	last := o.CreationTimestamp.Time
	for _, event := range o.Status.Events {
		last = event.Time.Time
		if event.Action != "" {
			add(last, o.Spec.By, o.Spec.Groups, "act", event.Action+": "+event.Text)
		}
	}
	for verb, said := range map[string]struct {
		is bool
		by *v1alpha1.Signature
	}{"abort": {o.Spec.Abort, o.Spec.Aborter}, "promote": {o.Spec.Promote, o.Spec.Promoter}} {
		if said.is {
			who := v1alpha1.Signature{By: "weft"}
			if said.by != nil {
				who = *said.by
			}
			add(last, who.By, who.Groups, verb, "version: "+o.Spec.Version)
		}
	}
	return all
}

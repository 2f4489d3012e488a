package pipeline

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// What does not fit changes nothing but the count.
func TestApplyIsTotal(t *testing.T) {
	p := newPlay(t, stage("a webhook"), stage("b wait 1h")).settle()
	before := p.state
	raw, _ := json.Marshal(before)
	for _, e := range []Event{
		{Kind: "Other"}, {Kind: RunStarted}, {Kind: RunEnded}, {Kind: RunEnded, Data: data(runEnded{"Running"})},
		{Kind: StageStarted, Stage: "a", Attempt: 1}, {Kind: StageStarted, Stage: "a", Attempt: 3}, {Kind: StageSkipped, Stage: "a"},
		{Kind: StageNote, Stage: "a", Attempt: 2, Text: "x"}, {Kind: StageEnded, Stage: "b", Attempt: 1}, {Kind: StageEnded, Stage: "c", Attempt: 1, Data: data(stageEnded{Phase: Failed})},
		{Kind: StageEnded, Stage: "b", Attempt: 1, Data: data(stageEnded{Phase: Running})}, {Kind: StageEnding, Stage: "b", Attempt: 1},
		{Kind: ActionIntended, Stage: "a", Attempt: 1, Action: "u/a/1/2", Data: data(actionIntended{})},
		{Kind: ActionDone, Stage: "a", Attempt: 1, Action: "u/a/1/0", Data: data(actionDone{})}, {Kind: ActionDone, Stage: "b", Attempt: 1, Data: data(actionDone{})},
		{Kind: ActionDone, Stage: "a", Attempt: 1, Action: "u/a/1/1", Data: json.RawMessage("no")},
	} {
		e.Seq, e.At = before.Seq+1, before.Last.Add(time.Second)
		got := Apply(before, e)
		if got.Seq != e.Seq || got.Last != e.At {
			t.Errorf("%+v: not counted", e)
		}
		got.Seq, got.Last = before.Seq, before.Last
		if !reflect.DeepEqual(got, before) {
			t.Errorf("%+v: %+v", e, got)
		}
	}
	if after, _ := json.Marshal(before); string(after) != string(raw) {
		t.Error("Apply changed what it was given")
	}
	old := Event{Seq: before.Seq, Kind: StageEnded, Stage: "b", Attempt: 1, Data: data(stageEnded{Phase: Failed})}
	if !reflect.DeepEqual(Apply(before, old), before) {
		t.Error("an event was applied twice")
	}
}

// What turns out later is known.
func TestLateResult(t *testing.T) {
	p := newPlay(t, stage("a webhook")).settle()
	e := Event{Stage: "a", Attempt: 1, Action: "u/a/1/1"}
	for _, kind := range []Kind{ActionUnknown, ActionDone} {
		e.Seq, e.Kind, e.Data = p.state.Seq+1, kind, data(actionDone{OK: true})
		p.state = Apply(p.state, e)
		if o := p.state.Stages["a"].Open; o.Unknown != (kind == ActionUnknown) || (o.Result != nil) != (kind == ActionDone) {
			t.Errorf("%s: %+v", kind, o)
		}
	}
}

func TestFinalIsFinal(t *testing.T) {
	p := newPlay(t, stage("a check ok")).settle().want("Succeeded: a=Succeeded")
	s := Apply(p.state, Event{Seq: p.state.Seq + 1, At: noon, Kind: StageStarted, Stage: "a", Attempt: 2})
	s.Seq = p.state.Seq
	if !reflect.DeepEqual(s, p.state) {
		t.Errorf("%+v", s)
	}
}

func TestCut(t *testing.T) {
	long := strings.Repeat("ä", MaxText)
	if got := cut(long); len(got) > MaxText || !utf8.ValidString(got) || !strings.HasSuffix(got, "ä...") {
		t.Errorf("%d: %s", len(got), got)
	}
	if got := cut(long[:MaxText]); got != long[:MaxText] {
		t.Error(got)
	}
}

// Storage writes an object's fields in an order of its own.
func TestTidy(t *testing.T) {
	for in, want := range map[string]string{
		`{"z": 9007199254740993, "a": "<"}`: `{"a":"\u003c","z":9007199254740993}`,
		`[1]`:                               "", `null`: "", `x`: "", ``: "",
	} {
		got, err := tidy(json.RawMessage(in))
		if string(got) != want || (err != nil) != (want == "") {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
}

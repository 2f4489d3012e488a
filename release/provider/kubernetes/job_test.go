package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"weft.dev/release/pipeline"
)

const migrate = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: migrate}\nspec: {ttlSecondsAfterFinished: 0, template: {spec: {containers: [{name: a, image: good}]}}}"

var migration = pipeline.JobWork{Name: "ship-migrate-1", Manifest: migrate, Deadline: 90}

// job is a Job that was made, with a selector as the API server gives it.
func (p *play) job() *batchv1.Job {
	p.Helper()
	p.acted(act("u/1", pipeline.CreateJob, 1, migration))
	all := typed[batchv1.Job](p.T, p.cluster, jobs)
	if len(all) != 1 {
		p.Fatalf("%d jobs", len(all))
	}
	all[0].Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"job": "1"}}
	p.put(p.T, jobs, "Job", all[0])
	return typed[batchv1.Job](p.T, p.cluster, jobs)[0]
}

// ends has the Job end.
func (p *play) ends(kind batchv1.JobConditionType) {
	p.Helper()
	job := p.job()
	job.Status.Conditions = []batchv1.JobCondition{
		{Type: "SuccessCriteriaMet", Status: corev1.ConditionTrue},
		{Type: kind, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded", Message: "too often"},
	}
	p.put(p.T, jobs, "Job", job)
}

// pod is one of the Job's, whose container a has ended so.
func (p *play) pod(name string, second int, phase corev1.PodPhase, end corev1.ContainerState) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"job": "1"}, CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(second) * time.Second))}}
	pod.Spec.Containers = []corev1.Container{{Name: "a"}}
	pod.Status = corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{Name: "a", State: end}}}
	p.put(p.T, pods, "Pod", pod)
}

func exits(code int32, message string) corev1.ContainerState {
	reason := map[bool]string{true: "Completed", false: "Error"}[code == 0]
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}}
}

func waits(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "gone"}}
}

// says has the pods' logs be a text, or not be there.
func (p *play) says(text string, err error) {
	p.Provider.Logs = func(_ context.Context, of, pod, container string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(text)), err
	}
}

func (p *play) seesJob(look pipeline.JobLook) (s pipeline.JobSeen) {
	p.Helper()
	look.Name = migration.Name
	text, _ := json.Marshal(look)
	fact, err := p.Provider.Objects(blobs{}).Observe(p.Context(), namespace, pipeline.Look{Kind: pipeline.SeeJob, Data: text})
	if err != nil || json.Unmarshal(fact.Data, &s) != nil {
		p.Fatalf("%s %v", fact.Data, err)
	}
	return s
}

// A Job is made once, however often and by whom that is done, and stays until it is deleted.
func TestJob(t *testing.T) {
	p := newPlay(t)
	if s := p.seesJob(pipeline.JobLook{}); !s.Missing {
		t.Errorf("%+v", s)
	}
	job := p.job()
	writes := p.writes
	p.acted(act("u/1", pipeline.CreateJob, 1, migration))
	if result := p.acts(act("other", pipeline.CreateJob, 1, migration)); result.OK || !strings.Contains(result.Text, "this run did not make it") {
		t.Errorf("%+v", result)
	}
	if s := p.seesJob(pipeline.JobLook{}); p.writes != writes || asJSON(s) != `{"why":"it runs"}` {
		t.Errorf("%d writes, %+v", p.writes-writes, s)
	}
	spec := job.Spec
	if job.Name != "ship-migrate-1" || *spec.BackoffLimit != 0 || *spec.ActiveDeadlineSeconds != 90 || spec.TTLSecondsAfterFinished != nil ||
		spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever || spec.Template.Spec.Containers[0].TerminationMessagePolicy != corev1.TerminationMessageFallbackToLogsOnError {
		t.Errorf("%s", asJSON(job))
	}
	end := act("u/2", pipeline.DeleteJob, 0, pipeline.Child{Name: migration.Name})
	p.acted(end)
	p.acted(end)
	if s := p.seesJob(pipeline.JobLook{}); !s.Missing {
		t.Errorf("%+v", s)
	}
}

// What a manifest says of tries and restarts holds.
func TestJobAsItSays(t *testing.T) {
	p := newPlay(t)
	work := pipeline.JobWork{Name: "a", Manifest: "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {backoffLimit: 2, activeDeadlineSeconds: 7, template: {spec: {restartPolicy: OnFailure, containers: [{name: a, image: good, terminationMessagePolicy: File}]}}}"}
	p.acted(act("u/1", pipeline.CreateJob, 1, work))
	spec := typed[batchv1.Job](t, p.cluster, jobs)[0].Spec
	if *spec.BackoffLimit != 2 || *spec.ActiveDeadlineSeconds != 7 || spec.Template.Spec.RestartPolicy != "OnFailure" || spec.Template.Spec.Containers[0].TerminationMessagePolicy != "File" {
		t.Errorf("%s", asJSON(spec))
	}
	p.Own = namespace
	for want, manifest := range map[string]string{
		"is weft's own: use another": migrate,
		"one object, a Job":          migrate + "\n---\n" + migrate,
		"metadata.name":              "apiVersion: batch/v1\nkind: Job",
		"give it one":                "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}",
		"non-string value":           "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a, annotations: {a: {}}}\nspec: {template: {spec: {containers: [{name: a}]}}}",
		"accessor error: [] is":      "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {spec: []}}",
	} {
		if want != "is weft's own: use another" {
			p.Own = ""
		}
		if result := p.acts(act("u/7", pipeline.CreateJob, 1, pipeline.JobWork{Name: "b", Manifest: manifest})); result.OK || !strings.Contains(result.Text, want) {
			t.Errorf("%+v, want %s", result, want)
		}
		p.Own = namespace
	}
}

// Who waits for what never comes is told why, and who is restarted is waited for.
func TestJobStuck(t *testing.T) {
	for reason, want := range map[string]string{
		"ErrImagePull":     `{"ended":true,"failed":true,"why":"container a of pod j: ErrImagePull: gone"}`,
		"CrashLoopBackOff": `{"why":"container a of pod j: CrashLoopBackOff: gone"}`,
	} {
		p := newPlay(t)
		p.job()
		p.pod("j", 1, corev1.PodPending, waits(reason))
		if s := asJSON(p.seesJob(pipeline.JobLook{})); s != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
}

// A Job that failed tells which container of its last pod did, and what that said at last.
func TestJobFails(t *testing.T) {
	p := newPlay(t)
	p.says("connects\nno such table\n\x1b[31mgave up\n", nil)
	p.ends(batchv1.JobFailed)
	if s := asJSON(p.seesJob(pipeline.JobLook{})); s != `{"ended":true,"failed":true,"why":"BackoffLimitExceeded: too often"}` {
		t.Errorf("without a pod: %s", s)
	}
	p.pod("a-second", 2, corev1.PodFailed, exits(3, "kept"))
	p.pod("b-first", 1, corev1.PodFailed, exits(2, ""))
	const why = "container a of pod a-second: exit code 3, Error; BackoffLimitExceeded: too often; it said at last: "
	if s := p.seesJob(pipeline.JobLook{}); s.Why != why+"connects | no such table | [31mgave up" || s.Log != "connects\nno such table\n[31mgave up" || !s.Failed {
		t.Errorf("%+v", s)
	}
	p.says("", errors.New("forbidden"))
	if s := p.seesJob(pipeline.JobLook{}); s.Why != why+"kept" || s.Log != "kept" {
		t.Errorf("%+v", s)
	}
}

func TestJobOutputs(t *testing.T) {
	for what, c := range map[string]struct {
		look         pipeline.JobLook
		message, log string
		fault        error
		want         string
	}{
		"none":            {pipeline.JobLook{}, "a=b", "WEFT_OUTPUT_a=b", nil, `{"ended":true,"log":"WEFT_OUTPUT_a=b"}`},
		"file":            {pipeline.JobLook{OutputsFrom: "file"}, "# why\na = b=c\n\nN_1=", "done", nil, `{"ended":true,"log":"done","outputs":{"N_1":"","a":"b=c"}}`},
		"log":             {pipeline.JobLook{OutputsFrom: "log"}, "", "starts\nWEFT_OUTPUT_Rows=7\n SPINNAKER_PROPERTY_TAG=v2\nx=y", nil, `"outputs":{"Rows":"7","tag":"v2"}}`},
		"none, no log":    {pipeline.JobLook{}, "", "", errors.New("later"), `{"ended":true}`},
		"no name":         {pipeline.JobLook{OutputsFrom: "file"}, "hello", "", nil, `"failed":true,"why":"it is complete, and its outputs are not: \"hello\" is no NAME=VALUE`},
		"the stage's own": {pipeline.JobLook{OutputsFrom: "file"}, "log=a", "", nil, `"failed":true`},
		"too long":        {pipeline.JobLook{OutputsFrom: "file"}, "a=" + strings.Repeat("\x01", 400), "", nil, `they have 2408 bytes, at most 2048 are kept`},
		"no container":    {pipeline.JobLook{Container: "b"}, "", "", nil, `"failed":true,"why":"it is complete, and its pod j has no container b, whose output counts"`},
	} {
		p := newPlay(t)
		p.says(c.log, c.fault)
		p.ends(batchv1.JobComplete)
		p.pod("j", 1, corev1.PodSucceeded, exits(0, c.message))
		if s := asJSON(p.seesJob(c.look)); !strings.Contains(s, c.want) {
			t.Errorf("%s: %s, want %s", what, s, c.want)
		}
	}
	p := newPlay(t)
	p.says("", apierrors.NewServiceUnavailable("later"))
	p.ends(batchv1.JobComplete)
	if s := asJSON(p.seesJob(pipeline.JobLook{OutputsFrom: "log"})); s != `{"ended":true}` {
		t.Errorf("whose pods are gone: %s", s)
	}
	p.pod("j", 1, corev1.PodSucceeded, exits(0, ""))
	text, _ := json.Marshal(pipeline.JobLook{Name: migration.Name, OutputsFrom: "log"})
	if fact, err := p.Provider.Objects(blobs{}).Observe(t.Context(), namespace, pipeline.Look{Kind: pipeline.SeeJob, Data: text}); err == nil {
		t.Errorf("a log that cannot be read was taken for one without outputs: %s", fact.Data)
	}
}

func TestTail(t *testing.T) {
	long := strings.Repeat("é\x00", 600)
	for text, want := range map[string]string{
		"a\nb\n":                             "a\nb",
		strings.Repeat("x", 2000) + "\nlast": "last",
		strings.Repeat("x", 2000):            strings.Repeat("x", 1024),
		strings.Repeat("<", 2000):            strings.Repeat("<", 170),
		long:                                 strings.Repeat("é", 512),
		"\xff\x1b[0m a\r\n":                  "[0m a",
	} {
		if got := tail(text, maxLog); got != want {
			t.Errorf("%.40q: %q", text, got)
		}
	}
}

// NewLogs asks for the end of one container's log, and tells what the API server says.
func TestLogs(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() == "/api/v1/namespaces/shop/pods/j/log?container=a&tailLines=1000" {
			io.WriteString(w, "hello")
			return
		}
		http.Error(w, "no such pod", http.StatusNotFound)
	}))
	defer server.Close()
	logs, err := NewLogs(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	in, err := logs(t.Context(), "shop", "j", "a")
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if text, err := io.ReadAll(in); string(text) != "hello" || err != nil {
		t.Errorf("%s %v", text, err)
	}
	if _, err := logs(t.Context(), "shop", "gone", "a"); !apierrors.IsNotFound(err) {
		t.Errorf("%v", err)
	}
}

package store

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"

	"golang.org/x/time/rate"

	"weft.dev/api"
	"weft.dev/api/v1alpha1"
)

const (
	// Honoured is the type of the condition that says whether all of an object has the effect it asks for.
	Honoured = "weft.dev/Honoured"
	// Controller names weft in the statuses of routes and policies of the Gateway API.
	Controller = "weft.dev/gateway-controller"

	statusesPerSecond = 50
	statusBurst       = 200
	statusWriters     = 4
	statusRetryFirst  = 100 * time.Millisecond
	statusRetryLast   = time.Minute
	maxProblems       = 50      // of one object that are written; the status says how many there are
	maxMessage        = 8 << 10 // bytes of a condition's message
	reasonHonoured    = "Honoured"
)

// Report is everything that is wrong with an object, as far as it is known.
type Report struct {
	Kind            api.Kind
	Namespace, Name string
	Generation      int64 // of the object that was looked at
	Problems        []v1alpha1.Problem
}

type reportKey struct {
	kind            api.Kind
	namespace, name string
	part            string // of the status: several speak of one object
}

// writing alters a status so that it says something.
type writing func(object, status map[string]any, now time.Time) error

// StatusWriter writes problems into the statuses of their objects: weft's own
// kinds list them, Istio's and the Gateway API's have the condition Honoured. An
// object without problems is left alone if nothing was ever said about it. It
// writes statements, too.
type StatusWriter struct {
	client *Client
	log    *slog.Logger
	now    func() time.Time
	limit  *rate.Limiter

	mu     sync.Mutex
	queue  workqueue.TypedRateLimitingInterface[reportKey] // nil while it does not run
	wanted map[reportKey]writing                           // not yet written; at most one for each part of an object
}

// NewStatusWriter makes a writer; it writes while it Runs, and what it was told before.
func NewStatusWriter(c *Client, now func() time.Time, log *slog.Logger) *StatusWriter {
	return &StatusWriter{
		client: c, log: log, now: now,
		limit:  rate.NewLimiter(statusesPerSecond, statusBurst),
		wanted: map[reportKey]writing{},
	}
}

// Set says what is wrong with an object now. It takes the place of what was
// said before and does not wait for the store.
func (w *StatusWriter) Set(r Report) {
	info, ok := r.Kind.Info()
	if !ok || info.Status == api.NoStatus {
		return
	}
	w.want(reportKey{r.Kind, r.Namespace, r.Name, "problems"}, func(object, status map[string]any, now time.Time) error {
		return r.into(info.Status, object, status, now)
	})
}

func (w *StatusWriter) want(key reportKey, what writing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wanted[key] = what
	if w.queue != nil {
		w.queue.Add(key)
	}
}

// Run writes until ctx ends. It may be called again then: of several servers one
// writes, and which one changes.
func (w *StatusWriter) Run(ctx context.Context) error {
	backoff := workqueue.NewTypedItemExponentialFailureRateLimiter[reportKey](statusRetryFirst, statusRetryLast)
	queue := workqueue.NewTypedRateLimitingQueue(backoff)
	w.mu.Lock()
	w.queue = queue
	for key := range w.wanted {
		queue.Add(key)
	}
	w.mu.Unlock()
	var writers sync.WaitGroup
	for range statusWriters {
		writers.Go(func() { w.work(ctx, queue) })
	}
	<-ctx.Done()
	w.mu.Lock()
	w.queue = nil
	w.mu.Unlock()
	queue.ShutDown()
	writers.Wait()
	return ctx.Err()
}

func (w *StatusWriter) work(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reportKey]) {
	for {
		key, quit := queue.Get()
		if quit {
			return
		}
		if err := w.write(ctx, key); err != nil && ctx.Err() == nil {
			w.log.Warn("status not written yet", "kind", key.kind, "namespace", key.namespace, "name", key.name, "error", err)
			queue.AddRateLimited(key)
		} else {
			queue.Forget(key)
		}
		queue.Done(key)
	}
}

func (w *StatusWriter) write(ctx context.Context, key reportKey) error {
	w.mu.Lock()
	what, ok := w.wanted[key]
	delete(w.wanted, key)
	w.mu.Unlock()
	if !ok {
		return nil // another turn has written it
	}
	err := w.limit.Wait(ctx)
	if err == nil {
		err = w.client.ChangeStatus(ctx, key.kind, key.namespace, key.name, func(object, status map[string]any) error {
			return what(object, status, w.now())
		})
	}
	if err == nil || IsInvalid(err) {
		return err
	}
	w.mu.Lock()
	if _, newer := w.wanted[key]; !newer {
		w.wanted[key] = what
	}
	w.mu.Unlock()
	return err
}

// into alters a status so that it says what the report says.
func (r Report) into(form api.StatusForm, object, status map[string]any, now time.Time) error {
	if r.Generation == 0 {
		r.Generation, _, _ = unstructured.NestedInt64(object, "metadata", "generation") // what was found is not of the object alone
	}
	switch form {
	case api.ProblemStatus:
		return r.intoList(status)
	case api.ConditionStatus:
		return r.intoCondition(status, now)
	case api.ParentStatus:
		return r.intoRefs(object, status, "parents", "parentRef", "parentRefs", now)
	case api.AncestorStatus:
		return r.intoRefs(object, status, "ancestors", "ancestorRef", "targetRefs", now)
	}
	return nil
}

func (r Report) intoList(status map[string]any) error {
	if len(r.Problems) == 0 && status["problemCount"] == nil {
		return nil
	}
	problems := r.Problems[:min(len(r.Problems), maxProblems)]
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.ProblemStatus{
		ObservedGeneration: r.Generation, ProblemCount: int32(len(r.Problems)), Problems: problems,
	})
	if err != nil {
		return err
	}
	for _, name := range []string{"observedGeneration", "problemCount", "problems"} {
		if v, ok := fields[name]; ok {
			status[name] = v
		} else {
			delete(status, name)
		}
	}
	return nil
}

func (r Report) intoCondition(status map[string]any, now time.Time) error {
	if len(r.Problems) == 0 && !hasCondition(status, Honoured) {
		return nil
	}
	return SetCondition(status, r.condition(now))
}

// intoRefs puts the condition into the entry that weft has for each object that
// a route or policy refers to.
func (r Report) intoRefs(object, status map[string]any, list, ref, specRefs string, now time.Time) error {
	refs, _, err := unstructured.NestedSlice(object, "spec", specRefs)
	if err != nil {
		return err
	}
	entries, _, err := unstructured.NestedSlice(status, list)
	if err != nil {
		return err
	}
	for _, target := range refs {
		i := slices.IndexFunc(entries, func(e any) bool { return isEntry(e, ref, target) })
		if i < 0 {
			if len(r.Problems) == 0 {
				continue
			}
			entries, i = append(entries, map[string]any{ref: target, "controllerName": Controller}), len(entries)
		}
		if err := r.intoCondition(entries[i].(map[string]any), now); err != nil {
			return err
		}
	}
	if len(entries) > 0 {
		status[list] = entries
	}
	return nil
}

// isEntry reports whether a status entry is weft's about the target.
func isEntry(entry any, ref string, target any) bool {
	e, ok := entry.(map[string]any)
	if !ok || e["controllerName"] != Controller {
		return false
	}
	a, aok := e[ref].(map[string]any)
	b, bok := target.(map[string]any)
	if !aok || !bok {
		return false
	}
	for _, field := range []string{"group", "kind", "namespace", "name", "sectionName", "port"} {
		if a[field] != b[field] {
			return false
		}
	}
	return true
}

func (r Report) condition(now time.Time) metav1.Condition {
	c := metav1.Condition{
		Type: Honoured, Status: metav1.ConditionTrue, Reason: reasonHonoured, Message: "Everything has the effect it asks for.",
		ObservedGeneration: r.Generation, LastTransitionTime: metav1.NewTime(now.Truncate(time.Second)),
	}
	if len(r.Problems) == 0 {
		return c
	}
	lines := make([]string, len(r.Problems))
	for i, p := range r.Problems {
		lines[i] = strings.TrimPrefix(p.Path+": "+p.Message, ": ")
	}
	c.Status, c.Reason = metav1.ConditionFalse, cmp.Or(r.Problems[0].Code, "Problem")
	c.Message = cut(strings.Join(lines, "\n"), maxMessage)
	return c
}

func hasCondition(status map[string]any, t string) bool {
	list, _, _ := unstructured.NestedSlice(status, "conditions")
	return slices.ContainsFunc(list, func(c any) bool {
		fields, ok := c.(map[string]any)
		return ok && fields["type"] == t
	})
}

// cut shortens a text to at most n bytes, and says so in its last ones.
func cut(s string, n int) string {
	const more = " ..."
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len(more)], "") + more
}

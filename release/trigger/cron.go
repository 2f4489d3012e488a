package trigger

import (
	"fmt"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
	"weft.dev/release/trigger/cron"
)

// late is from when on a run says that it is.
const late = time.Minute

// cron finds the last time that has come, and what was missed before it.
func (w *watcher) cron(t *v1alpha1.CronTrigger, l *look) {
	schedule, err := cron.Parse(t.Schedule, t.TimeZone)
	if err != nil {
		l.Why, l.Next = short(err.Error()), nil
		return
	}
	now := w.Now()
	if last, count := schedule.Last(l.Since.Time, now); count > 0 {
		since := metav1.NewMicroTime(last)
		l.Since, l.Why = &since, ""
		facts := map[string]v1alpha1.Value{"time": v1alpha1.Value(last.Format(time.RFC3339))}
		if count > 1 {
			facts["missed"] = v1alpha1.Value(strconv.Itoa(count - 1))
		}
		if count > 1 || now.Sub(last) > late {
			l.Why = fmt.Sprintf("%d times were missed: one run, of %s, started at %s", count, last.Format(time.RFC3339), now.In(last.Location()).Format(time.RFC3339))
		}
		l.found = append(l.found, happening{id: last.UTC().Format(time.RFC3339), facts: facts})
	}
	l.next, l.Next = schedule.Next(l.Since.Time), nil
	if !l.next.IsZero() {
		next := metav1.NewMicroTime(l.next)
		l.Next = &next
	}
}

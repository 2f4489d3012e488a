package guard

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weft.dev/api/v1alpha1"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return moment
}

func in(zone string, open ...string) v1alpha1.Window {
	return v1alpha1.Window{TimeZone: zone, Open: open}
}

// The year's changes of the clock in Berlin: 2026-03-29 at 02:00 (to 03:00), 2026-10-25 at 03:00 (to 02:00).
func TestWindows(t *testing.T) {
	for _, test := range []struct {
		name   string
		window v1alpha1.Window
		now    string
		open   bool
		next   string // opening, where it is closed
	}{
		{"in office hours", in("Europe/Berlin", "Mon-Thu 10:00-16:00"), "2026-11-26T10:00:00+01:00", true, ""},
		{"the last minute", in("Europe/Berlin", "Mon-Thu 10:00-16:00"), "2026-11-26T15:59:59+01:00", true, ""},
		{"the end is out", in("Europe/Berlin", "Mon-Thu 10:00-16:00"), "2026-11-26T16:00:00+01:00", false, "2026-11-30T10:00:00+01:00"},
		{"another zone's morning", in("America/New_York", "Mon-Fri 09:00-12:00"), "2026-11-27T13:59:00Z", false, "2026-11-27T09:00:00-05:00"},
		{"half an hour's zone", in("Asia/Kolkata", "09:00-10:00"), "2026-11-27T03:30:00Z", true, ""},
		{"over midnight, before", in("UTC", "Fri 22:00-02:00"), "2026-11-27T23:00:00Z", true, ""},
		{"over midnight, after", in("UTC", "Fri 22:00-02:00"), "2026-11-28T01:59:00Z", true, ""},
		{"the night after is not it", in("UTC", "Fri 22:00-02:00"), "2026-11-29T01:00:00Z", false, "2026-12-04T22:00:00Z"},
		{"around the week", in("UTC", "Sat-Mon 10:00-11:00"), "2026-11-30T10:30:00Z", true, ""},
		{"days in a list", in("UTC", "Tue,Thu 10:00-24:00"), "2026-11-27T00:00:00Z", false, "2026-12-01T10:00:00Z"},
		{"several times", in("UTC", "Fri 10:00-11:00", "Fri 14:00-15:00"), "2026-11-27T12:00:00Z", false, "2026-11-27T14:00:00Z"},
		{"before summer time", in("Europe/Berlin", "10:00-16:00"), "2026-03-28T16:30:00+01:00", false, "2026-03-29T10:00:00+02:00"},
		{"a time that does not come", in("Europe/Berlin", "Sun 02:15-02:45"), "2026-03-29T01:59:00+01:00", false, "2026-04-05T02:15:00+02:00"},
		{"its rest that comes", in("Europe/Berlin", "Sun 02:30-04:00"), "2026-03-29T01:59:00+01:00", false, "2026-03-29T03:00:00+02:00"},
		{"a time that comes twice, first", in("Europe/Berlin", "Sun 02:15-02:45"), "2026-10-25T02:15:00+02:00", true, ""},
		{"between both", in("Europe/Berlin", "Sun 02:15-02:45"), "2026-10-25T02:50:00+02:00", false, "2026-10-25T02:15:00+01:00"},
		{"and again", in("Europe/Berlin", "Sun 02:15-02:45"), "2026-10-25T02:44:00+01:00", true, ""},
		{"after winter time", in("Europe/Berlin", "10:00-16:00"), "2026-10-24T17:00:00+02:00", false, "2026-10-25T10:00:00+01:00"},
	} {
		w, err := readWindow(test.window, "")
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		now := at(t, test.now)
		if w.open(now) != test.open {
			t.Errorf("%s: open is %v", test.name, !test.open)
		}
		if test.next != "" && !w.next(now).Equal(at(t, test.next)) {
			t.Errorf("%s: opens %s, want %s", test.name, w.next(now), test.next)
		}
	}
}

// What next says is what a look at each minute finds.
func TestNextIsTheFirst(t *testing.T) {
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"} {
		for _, open := range []string{"Sun 02:15-02:45", "01:30-02:10", "Sat,Sun 23:30-03:15", "Mon-Fri 09:00-17:00"} {
			window := in(zone, open)
			for _, jitter := range []time.Duration{0, 20 * time.Minute} {
				window.Jitter = &metav1.Duration{Duration: jitter}
				w, err := readWindow(window, "run-1")
				if err != nil {
					t.Fatal(err)
				}
				w.later = w.later.Truncate(time.Minute)
				for _, day := range []string{"2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31"} {
					now := at(t, day+"T11:17:00Z")
					first := now
					for first = first.Add(time.Minute); w.open(first) || !w.open(first.Add(time.Minute)); first = first.Add(time.Minute) {
					}
					if next := w.next(first); !next.Equal(first.Add(time.Minute)) {
						t.Errorf("%s in %s, jitter %s, after %s: %s", open, zone, jitter, first, next)
					}
				}
			}
		}
	}
}

// Jitter is the same for a run whenever it is asked, and not the same for all.
func TestJitter(t *testing.T) {
	window := in("UTC", "10:00-12:00")
	window.Jitter = &metav1.Duration{Duration: time.Hour}
	opens := map[time.Time]bool{}
	for _, run := range []string{"a", "b", "c", "d", "e"} {
		w, err := readWindow(window, run)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := readWindow(window, run)
		first := w.next(at(t, "2026-11-27T08:00:00Z"))
		if !first.Equal(again.next(at(t, "2026-11-27T09:59:00Z"))) || !w.open(first) || w.open(first.Add(-time.Second)) {
			t.Errorf("run %s: opens %s, and then %s", run, first, again.next(at(t, "2026-11-27T09:59:00Z")))
		}
		if first.Before(at(t, "2026-11-27T10:00:00Z")) || !first.Before(at(t, "2026-11-27T11:00:00Z")) {
			t.Errorf("run %s: opens %s", run, first)
		}
		opens[first] = true
	}
	if len(opens) < 4 {
		t.Errorf("five runs open at %d moments", len(opens))
	}
}

func TestBadWindows(t *testing.T) {
	long := in("UTC", "10:00-11:00", "12:00-18:00")
	long.Jitter = &metav1.Duration{Duration: time.Hour}
	for want, window := range map[string]v1alpha1.Window{
		`timeZone "Mars/North"`:  in("Mars/North", "10:00-11:00"),
		`timeZone "Local"`:       in("Local", "10:00-11:00"),
		`timeZone ""`:            in("", "10:00-11:00"),
		"Mon-Thu or Sat,Sun":     in("UTC", "Monday 10:00-11:00"),
		"from 00:00 to 24:00":    in("UTC", "Mon 10:00-24:01"),
		"such as 10:00-16:00":    in("UTC", "Mon 10-11"),
		"starts at 00:00":        in("UTC", "24:00-10:00"),
		"as long as a time that": long,
	} {
		spec := &v1alpha1.PipelineSpec{Stages: []v1alpha1.Stage{{}, {Windows: []v1alpha1.Window{window}}}}
		if found := Check(spec); len(found) != 1 || found[0].Path != "spec.stages[1].windows[0]" || !strings.Contains(found[0].Message, want) {
			t.Errorf("%v, want %s", found, want)
		}
		if why, _ := windowsGate("stage s", []v1alpha1.Window{window}, "", at(t, "2026-11-27T10:30:00Z")); !strings.Contains(why, want) {
			t.Errorf("a window that cannot be read is no closed one: %q", why)
		}
	}
}

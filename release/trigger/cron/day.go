package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// day says whether a day is one.
type day func(t time.Time) bool

// open is a field that leaves it to the other field of days.
func open(text string) bool { return text == "*" || text == "?" }

// daysOf joins the two fields of days. Both set: Unix takes a day that is either, and Quartz has no such schedule.
func daysOf(month, week string, quartz bool) (day, error) {
	ofMonth, err := parseAny(month, monthDay)
	if err != nil {
		return nil, err
	}
	ofWeek, err := parseAny(week, func(s string) (day, error) { return weekDay(s, quartz) })
	switch {
	case err != nil:
		return nil, err
	case !quartz && (month == "?" || week == "?"):
		return nil, errors.New("? is Quartz's: write *, or a schedule that begins with the second")
	case open(month):
		return ofWeek, nil
	case open(week):
		return ofMonth, nil
	case quartz:
		return nil, errors.New("day of month and day of week are both set: one has to be ?")
	}
	return func(t time.Time) bool { return ofMonth(t) || ofWeek(t) }, nil
}

// parseAny reads a list of which each part is its own rule.
func parseAny(text string, one func(string) (day, error)) (day, error) {
	if open(text) {
		return func(time.Time) bool { return true }, nil
	}
	var all []day
	for part := range strings.SplitSeq(text, ",") {
		d, err := one(part)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return func(t time.Time) bool {
		for _, d := range all {
			if d(t) {
				return true
			}
		}
		return false
	}, nil
}

// monthDay reads 15, 1-5, L, L-3, 15W, LW.
func monthDay(text string) (day, error) {
	if text == "LW" {
		return func(t time.Time) bool { return t.Day() == nearWeekday(t, lastDay(t)) }, nil
	}
	if before, ok := strings.CutPrefix(text, "L"); ok {
		n, err := strconv.Atoi(strings.TrimPrefix(before, "-"))
		if before != "" && (err != nil || n > 30 || before[0] != '-') {
			return nil, fmt.Errorf("day of month %q: want L, LW, or L-3 for the third before the last", text)
		}
		return func(t time.Time) bool { return t.Day() == lastDay(t)-n }, nil
	}
	if number, ok := strings.CutSuffix(text, "W"); ok {
		n, err := days.value(number)
		return func(t time.Time) bool { return n <= lastDay(t) && t.Day() == nearWeekday(t, n) }, err
	}
	all, err := days.parse(text)
	return func(t time.Time) bool { return all.has(t.Day() - days.min) }, err
}

// weekDay reads 2, MON-FRI, L, 6L, 6#3.
func weekDay(text string, quartz bool) (day, error) {
	f := weekdays
	if quartz {
		f = quartzDay
	}
	is := func(t time.Time, n int) bool { return int(t.Weekday()) == (n-f.min)%7 }
	if which, nth, ok := strings.Cut(text, "#"); ok {
		n, err := f.value(which)
		count, wrong := strconv.Atoi(nth)
		if wrong != nil || count < 1 || count > 5 {
			return nil, fmt.Errorf("day of week %q: want 1 to 5 after #", text)
		}
		return func(t time.Time) bool { return is(t, n) && (t.Day()-1)/7+1 == count }, err
	}
	if text == "L" { // Saturday, as Quartz has it
		return func(t time.Time) bool { return t.Weekday() == time.Saturday }, nil
	}
	if which, ok := strings.CutSuffix(text, "L"); ok {
		n, err := f.value(which)
		return func(t time.Time) bool { return is(t, n) && t.Day()+7 > lastDay(t) }, err
	}
	all, err := f.parse(text)
	return func(t time.Time) bool {
		n := int(t.Weekday())
		return all.has(n) || !quartz && n == 0 && all.has(7)
	}, err
}

func lastDay(t time.Time) int {
	return time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// nearWeekday is the day from Monday to Friday that is nearest to the nth of t's month, in that month.
func nearWeekday(t time.Time, n int) int {
	switch time.Date(t.Year(), t.Month(), n, 0, 0, 0, 0, time.UTC).Weekday() {
	case time.Saturday:
		if n == 1 {
			return 3
		}
		return n - 1
	case time.Sunday:
		if n == lastDay(t) {
			return n - 2
		}
		return n + 1
	}
	return n
}

// Package cron knows when a schedule comes: Unix's five fields, and Quartz's six or
// seven, in a time zone.
//
// A local time that a change of clocks leaves out comes at the first minute after it;
// one that comes twice is one, the first. Input: text, and a time. Output: the next
// time. It reads no clock.
package cron

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a machine may have none
)

// horizon is how far Next looks: 29 February on a given day of the week comes at least as often.
const horizon = 41 * 366

// Schedule is a set of times, at most one a minute.
type Schedule struct {
	zone         *time.Location
	second       int
	minute, hour set
	month, years set
	day          day
	everyYear    bool
}

// Parse reads a schedule; zone is an IANA name, empty: UTC. An error says which field is wrong, and what it wants.
func Parse(text, zone string) (Schedule, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		return Schedule{}, fmt.Errorf("time zone %q: there is none of that name: give one such as Europe/Berlin, or UTC", zone)
	}
	s := Schedule{zone: location, everyYear: true}
	fields := strings.Fields(strings.ToUpper(text))
	quartz := len(fields) > 5
	switch len(fields) {
	case 5:
	case 7:
		if !open(fields[6]) {
			s.everyYear = false
			if s.years, err = years.parse(fields[6]); err != nil {
				return s, fmt.Errorf("schedule %q: %w", text, err)
			}
		}
		fallthrough
	case 6:
		if s.second, err = strconv.Atoi(fields[0]); err != nil || s.second < 0 || s.second > seconds.max {
			return s, fmt.Errorf("schedule %q: second %q: want one number, 0 to 59: a schedule comes at most once a minute", text, fields[0])
		}
		fields = fields[1:6]
	default:
		return s, fmt.Errorf("schedule %q has %d fields: want 5 (minute hour day month weekday), or Quartz's 6 or 7, which begin with the second", text, len(fields))
	}
	if err := s.fields(fields, quartz); err != nil {
		return s, fmt.Errorf("schedule %q: %w", text, err)
	}
	return s, nil
}

func (s *Schedule) fields(f []string, quartz bool) error {
	var wrong [4]error
	s.minute, wrong[0] = minutes.parse(f[0])
	s.hour, wrong[1] = hours.parse(f[1])
	s.month, wrong[2] = months.parse(f[3])
	s.day, wrong[3] = daysOf(f[2], f[4], quartz)
	return errors.Join(wrong[:]...)
}

// Next is the first time after another; zero: it never comes.
func (s Schedule) Next(after time.Time) time.Time {
	y, m, d := after.In(s.zone).Date()
	for i := -1; i < horizon; i++ {
		date := time.Date(y, m, d+i, 0, 0, 0, 0, time.UTC)
		if !s.on(date) {
			continue
		}
		if t := s.within(date, after); !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// Last is the last time after one and not after another, and how many there are from a
// hundred on as a hundred; zero: none.
func (s Schedule) Last(after, until time.Time) (last time.Time, count int) {
	const most = 100
	for t := s.Next(after); !t.IsZero() && !t.After(until); t = s.Next(t) {
		last = t
		if count++; count == most {
			break
		}
	}
	if count < most {
		return last, count
	}
	for back := time.Hour; ; back *= 10 { // not all of them: it may be a year of minutes
		from := until.Add(-back)
		if from.Before(last) {
			from = last
		}
		late, n := last, 0
		for t := s.Next(from); !t.IsZero() && !t.After(until); t = s.Next(t) {
			late, n = t, n+1
		}
		if n > 0 || from.Equal(last) {
			return late, count
		}
	}
}

func (s Schedule) on(date time.Time) bool {
	return s.month.has(int(date.Month())-months.min) && (s.everyYear || s.years.has(date.Year()-years.min)) && s.day(date)
}

// within is the first time of a date after another; zero: none.
func (s Schedule) within(date, after time.Time) time.Time {
	for h := range 24 {
		if !s.hour.has(h) || s.at(date, h, 59).Before(after.Add(-time.Minute)) {
			continue
		}
		for m := range 60 {
			if !s.minute.has(m) {
				continue
			}
			if t := s.at(date, h, m); t.After(after) {
				return t
			}
		}
	}
	return time.Time{}
}

// at is when the clocks of the zone show a time of a date.
func (s Schedule) at(date time.Time, hour, minute int) time.Time {
	t := time.Date(date.Year(), date.Month(), date.Day(), hour, minute, s.second, 0, s.zone)
	wall := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	}
	want := date.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(s.second)*time.Second)
	start, end := t.ZoneBounds()
	if shown := wall(t); !shown.Equal(want) { // no clock shows it: right after the change
		if shown.After(want) {
			return start
		}
		return end
	}
	if start.IsZero() {
		return t
	}
	_, before := start.Add(-time.Second).Zone()
	if first := want.Add(-time.Duration(before) * time.Second).In(s.zone); first.Before(start) {
		return first
	}
	return t
}

package spinnaker

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
)

// weekdays as Java's Calendar counts them, from 1.
var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

const maxOpen = 20

// windows converts the times in which the stage may start.
func (j *job) windows(out *v1alpha1.Stage) error {
	if !truth(j.raw["restrictExecutionDuringTimeWindow"], false) {
		return nil
	}
	said, _ := j.raw["restrictedExecutionWindow"].(object)
	days, err := daysOf(said["days"])
	if err != nil {
		return err
	}
	w := v1alpha1.Window{TimeZone: zoneOfSpinnaker}
	for _, one := range objects(said["whitelist"]) {
		times, err := timesOf(one)
		if err != nil {
			return err
		}
		for _, t := range times {
			w.Open = append(w.Open, days+t)
		}
	}
	switch {
	case len(w.Open) == 0 && days == "":
		return errors.New("restrictedExecutionWindow: it says neither days nor hours")
	case len(w.Open) == 0:
		w.Open = []string{days + "00:00-24:00"}
	case len(w.Open) > maxOpen:
		return fmt.Errorf("restrictedExecutionWindow: %d times, at most %d are possible", len(w.Open), maxOpen)
	}
	if jitter, _ := said["jitter"].(object); truth(jitter["enabled"], false) {
		seconds, err := strconv.Atoi(text(jitter["maxDelay"]))
		if err != nil || seconds < 0 || seconds > int(24*time.Hour/time.Second) {
			return errors.New("restrictedExecutionWindow.jitter: maxDelay is no number of seconds of a day")
		}
		w.Jitter = lasting(time.Duration(seconds) * time.Second)
		j.note(Changed, "restrictedExecutionWindow.jitter", "it is from nothing to maxDelay, for runs that people start, too")
	}
	out.Windows = []v1alpha1.Window{w}
	j.note(Changed, "restrictedExecutionWindow", "its time zone is taken to be %s; it waits for the time as long as the run goes on", zoneOfSpinnaker)
	return nil
}

// daysOf are weft's words for days, with a blank behind them; none: all days.
func daysOf(value any) (string, error) {
	var days []string
	for _, said := range texts(value) {
		n, err := strconv.Atoi(said)
		if err != nil || n < 1 || n > len(weekdays) {
			return "", fmt.Errorf("restrictedExecutionWindow.days: %q is no day from 1, Sunday, to 7", cut(said, 40))
		}
		if day := weekdays[n-1]; !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	if len(days) == 0 {
		return "", nil
	}
	return strings.Join(days, ",") + " ", nil
}

// timesOf is one time; one that goes on after midnight is two, both on the days that are said.
func timesOf(o object) ([]string, error) {
	start, errStart := minuteOf(o["startHour"], o["startMin"])
	end, errEnd := minuteOf(o["endHour"], o["endMin"])
	if err := errors.Join(errStart, errEnd); err != nil {
		return nil, err
	}
	switch start %= 24 * 60; {
	case start < end:
		return []string{clock(start, end)}, nil
	case end == 0:
		return []string{clock(start, 24*60)}, nil
	case start == end:
		return nil, errors.New("restrictedExecutionWindow.whitelist: a time begins when it ends")
	}
	return []string{clock(0, end), clock(start, 24*60)}, nil
}

func clock(start, end int) string {
	return fmt.Sprintf("%02d:%02d-%02d:%02d", start/60, start%60, end/60, end%60)
}

func minuteOf(hour, minute any) (int, error) {
	h, errHour := strconv.Atoi(text(hour))
	m, errMinute := 0, error(nil)
	if minute != nil {
		m, errMinute = strconv.Atoi(text(minute))
	}
	if errHour != nil || errMinute != nil || h < 0 || h > 24 || m < 0 || m > 59 || h*60+m > 24*60 {
		return 0, fmt.Errorf("restrictedExecutionWindow.whitelist: %q:%q is no time of a day", cut(text(hour), 10), cut(text(minute), 10))
	}
	return h*60 + m, nil
}

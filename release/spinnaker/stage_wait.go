package spinnaker

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"weft.dev/api/v1alpha1"
)

const maxWait = 365 * 24 * time.Hour

// wait converts a number of seconds, or an expression that gives one.
func wait(j *job, out *v1alpha1.Stage) error {
	said, err := j.text("waitTime", 255)
	if err != nil {
		return err
	}
	if said == "" {
		return errors.New("waitTime: it does not say how long")
	}
	out.Wait = &v1alpha1.WaitStage{For: said + "s"}
	if hasExpression(said) {
		return nil
	}
	seconds, err := strconv.ParseFloat(said, 64)
	if err != nil || !(seconds >= 0 && seconds <= maxWait.Seconds()) {
		return fmt.Errorf("waitTime %q is no number of seconds up to those of a year", cut(said, 40))
	}
	out.Wait.For = time.Duration(seconds * float64(time.Second)).String()
	return nil
}

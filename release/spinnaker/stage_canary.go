package spinnaker

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"weft.dev/api/v1alpha1"
)

const (
	maxScopes   = 20
	maxScope    = 1024
	maxCanary   = 64 << 10
	canarySlack = time.Hour // beside its lifetime
)

// isCanaryConfig says whether it is a canary configuration, as Kayenta stores it.
func isCanaryConfig(o object) bool {
	_, metrics := o["metrics"].([]any)
	_, classifier := o["classifier"].(object)
	return metrics && classifier
}

// canary converts Kayenta's analysis of versions that run; the judge is a copy of theirs.
func canary(j *job, out *v1alpha1.Stage) error {
	switch kind := text(j.raw["analysisType"]); kind {
	case "", "realTime":
	case "realTimeAutomatic":
		return errors.New("analysisType: weft starts no baseline beside a canary: a release with strategy canary gives shares of the traffic and judges them")
	default:
		return fmt.Errorf("analysisType %q: weft judges what runs, and not the past", cut(kind, 40))
	}
	c, _ := j.raw["canaryConfig"].(object)
	config, err := j.canaryConfig(c)
	if err != nil {
		return err
	}
	k := &v1alpha1.Kayenta{Config: runtime.RawExtension{Raw: encode(config)}}
	if err := j.canaryTimes(c, k); err != nil {
		return err
	}
	if k.Scopes, err = j.canaryScopes(c); err != nil {
		return err
	}
	if k.Pass, k.Marginal, err = thresholds(c); err != nil {
		return err
	}
	a := &v1alpha1.AnalysisStage{New: k.Scopes[0].Experiment, Old: k.Scopes[0].Control, Kayenta: k}
	if len(a.New) > maxVersion || len(a.Old) > maxVersion {
		return fmt.Errorf("scopes: the first ones have more than %d bytes", maxVersion)
	}
	if out.Timeout == nil {
		out.Timeout = lasting(k.Lifetime.Duration + canarySlack)
		if k.Delay != nil {
			out.Timeout.Duration += k.Delay.Duration
		}
	}
	j.note(Changed, "canaryConfig.metricsAccountName", "it needs analysis.prometheus.url, where the Prometheus of account %s is", cut(text(c["metricsAccountName"]), 80))
	j.note(Changed, "canaryConfig", "it is judged by a copy of Kayenta's judge")
	out.Analysis = a
	return nil
}

// canaryConfig is the one that the stage names, if weft can read its metrics.
func (j *job) canaryConfig(c object) (object, error) {
	id, name := text(c["canaryConfigId"]), text(c["canaryConfigName"])
	config := j.canaries[id]
	if config == nil {
		config = j.canaries[name]
	}
	if config == nil || id+name == "" {
		j.note(Missing, "canaryConfig.canaryConfigId", "the canary configuration %q is not among the files", cut(id+name, 80))
		return nil, fmt.Errorf("canaryConfig: the configuration %q is not among the files: import them together, with its id in its field id", cut(id+name, 80))
	}
	for _, metric := range objects(config["metrics"]) {
		query, _ := metric["query"].(object)
		if kind := text(query["type"]); kind != "prometheus" {
			return nil, fmt.Errorf("canaryConfig: metric %q is of %q, and weft reads Prometheus", cut(text(metric["name"]), 80), cut(kind, 40))
		}
	}
	if len(encode(config)) > maxCanary {
		return nil, fmt.Errorf("canaryConfig: the configuration has more than %d bytes", maxCanary)
	}
	return config, nil
}

// canaryTimes converts how long and how often is judged.
func (j *job) canaryTimes(c object, k *v1alpha1.Kayenta) error {
	lifetime, err := lifetimeOf(c)
	if err != nil {
		return err
	}
	k.Lifetime = metav1.Duration{Duration: lifetime}
	var errs [3]error
	k.Interval, errs[0] = minutes(c, "canaryAnalysisIntervalMins")
	k.Delay, errs[1] = minutes(c, "beginCanaryAnalysisAfterMins")
	k.Lookback, errs[2] = minutes(c, "lookbackMins")
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if k.Interval != nil && k.Interval.Duration > lifetime {
		k.Interval = nil
	}
	if offset, err := minutes(c, "baselineAnalysisOffsetInMins"); err != nil || offset != nil {
		return errors.New("baselineAnalysisOffsetInMins: weft compares what is at the same time")
	}
	return nil
}

var isoTime = regexp.MustCompile(`^PT(?:([0-9]{1,4})H)?(?:([0-9]{1,5})M)?(?:([0-9]{1,7})S)?$`)

// lifetimeOf is a duration as ISO 8601 writes it, or a number of hours.
func lifetimeOf(c object) (time.Duration, error) {
	var d time.Duration
	if parts := isoTime.FindStringSubmatch(text(c["lifetimeDuration"])); parts != nil {
		for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second} {
			n, _ := strconv.Atoi(parts[i+1]) // digits, or nothing
			d += time.Duration(n) * unit
		}
	} else if hours, err := strconv.ParseFloat(text(c["lifetimeHours"]), 64); err == nil && hours > 0 && hours <= maxWait.Hours() {
		d = time.Duration(hours * float64(time.Hour))
	}
	if d <= 0 || d > maxWait {
		return 0, errors.New("lifetimeDuration: it is no time such as PT2H30M")
	}
	return d, nil
}

// minutes is a field that has some; none, and 0, are nil.
func minutes(c object, key string) (*metav1.Duration, error) {
	said := text(c[key])
	if said == "" || said == "0" {
		return nil, nil
	}
	n, err := strconv.Atoi(said)
	if err != nil || n < 0 || time.Duration(n) > maxWait/time.Minute {
		return nil, fmt.Errorf("%s: %q is no number of minutes", key, cut(said, 40))
	}
	return lasting(time.Duration(n) * time.Minute), nil
}

// canaryScopes converts what is compared.
func (j *job) canaryScopes(c object) (out []v1alpha1.KayentaScope, err error) {
	all := objects(c["scopes"])
	if len(all) == 0 || len(all) > maxScopes {
		return nil, fmt.Errorf("scopes: there are %d, from 1 to %d are possible", len(all), maxScopes)
	}
	for _, o := range all {
		s := v1alpha1.KayentaScope{Name: cut(text(o["scopeName"]), maxName)}
		if text(o["startTimeIso"])+text(o["endTimeIso"]) != "" {
			return nil, errors.New("scopes: they say when, and weft judges what runs")
		}
		var errs [4]error
		s.Control, errs[0] = j.within("scopes.controlScope", o["controlScope"], maxScope)
		s.ControlLocation, errs[1] = j.within("scopes.controlLocation", o["controlLocation"], maxName)
		s.Experiment, errs[2] = j.within("scopes.experimentScope", o["experimentScope"], maxScope)
		s.ExperimentLocation, errs[3] = j.within("scopes.experimentLocation", o["experimentLocation"], maxName)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, err
		}
		if step, err := strconv.Atoi(text(o["step"])); err == nil && step > 0 && time.Duration(step) <= maxWait/time.Second {
			s.Step = lasting(time.Duration(step) * time.Second)
		}
		if s.Parameters, err = j.scopeParameters(o); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (j *job) scopeParameters(o object) (map[string]v1alpha1.Value, error) {
	given, _ := o["extendedScopeParams"].(object)
	if len(given) > maxParameters {
		return nil, fmt.Errorf("scopes.extendedScopeParams: there are %d, at most %d are possible", len(given), maxParameters)
	}
	var out map[string]v1alpha1.Value
	for _, key := range sortedKeys(given) {
		value, err := j.parameter(given[key])
		if err != nil {
			return nil, named("scopes.extendedScopeParams."+key, err)
		}
		if out == nil {
			out = map[string]v1alpha1.Value{}
		}
		out[key] = value
	}
	return out, nil
}

var score = regexp.MustCompile(`^[0-9]{1,3}(\.[0-9]{1,4})?$`)

// thresholds are the scores; Orca's where the stage has none at all.
func thresholds(c object) (pass, marginal string, err error) {
	said, given := c["scoreThresholds"].(object)
	if !given {
		return "75", "50", nil
	}
	pass, marginal = text(said["pass"]), text(said["marginal"])
	for _, s := range []string{pass, marginal} {
		if s != "" && !score.MatchString(s) {
			return "", "", fmt.Errorf("scoreThresholds: %q is no score", cut(s, 40))
		}
	}
	return pass, marginal, nil
}

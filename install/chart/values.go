package chart

import (
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/strvals"
)

// Merge writes values over others.
func Merge(into, values map[string]any) {
	for key, value := range util.CoalesceTables(values, into) {
		into[key] = value
	}
}

// Set writes KEY=VALUE texts over values, in Helm's syntax.
func Set(values map[string]any, texts []string) error {
	for _, text := range texts {
		if err := strvals.ParseInto(text, values); err != nil {
			return err
		}
	}
	return nil
}

package opinion

import (
	"fmt"
	"maps"
	"time"

	"weft.dev/api/v1alpha1"
)

// Ask is one question to one of those who are asked.
type Ask struct {
	Key   string        `json:"key"` // of its Voice
	Every time.Duration `json:"every"`
	About About         `json:"about"`
	// Prometheus is asked for the number of Query, and of Old where that counts.
	Prometheus *v1alpha1.Prometheus `json:"prometheus,omitempty"`
	Query      string               `json:"query,omitempty"`
	Old        string               `json:"old,omitempty"`
	// Webhook is asked otherwise.
	Webhook *v1alpha1.VerdictWebhook `json:"webhook,omitempty"`
	// Wrong is why it cannot be asked at all.
	Wrong string `json:"wrong,omitempty"`
}

// Expander replaces ${...}, as expr.Evaluator does.
type Expander interface {
	Expand(config any, env map[string]any) (any, error)
}

// Asks are the questions about a version. Queries see env and, of About, application, space, version and old.
func Asks(o v1alpha1.Others, a About, e Expander, env map[string]any) []Ask {
	var all []Ask
	for _, q := range o.Queries {
		ask := Ask{Key: "query/" + q.Name, Every: Every(q.Cadence), About: a, Prometheus: o.Prometheus}
		var err error
		ask.Query, err = expand(e, q.Query, a, env)
		if err == nil && q.MaxRatio != "" && a.Old != "" {
			a := a
			a.Version = a.Old
			ask.Old, err = expand(e, q.Query, a, env)
		}
		if err != nil {
			ask.Wrong = err.Error()
		}
		all = append(all, ask)
	}
	for _, w := range o.Webhooks {
		all = append(all, Ask{Key: "webhook/" + w.Name, Every: Every(w.Cadence), About: a, Webhook: &w})
	}
	return all
}

func expand(e Expander, query string, a About, env map[string]any) (string, error) {
	env = maps.Clone(env)
	if env == nil {
		env = map[string]any{}
	}
	env["application"], env["space"], env["version"], env["old"] = a.Application, a.Namespace, a.Version, a.Old
	out, err := e.Expand(text{query}, env)
	if err != nil {
		return "", err
	}
	whole, ok := out.(text)
	if !ok {
		return "", fmt.Errorf("query: %v is no text", out)
	}
	return whole.Query, nil
}

// text is no bare string, which could become a value of another type.
type text struct {
	Query string `json:"query"`
}

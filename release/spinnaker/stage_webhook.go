package spinnaker

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"weft.dev/api/v1alpha1"
)

const (
	maxURL         = 2048
	maxBody        = 64 << 10
	maxHeaders     = 50
	maxHeaderName  = 128
	webhookTimeout = time.Hour // Orca's, while it monitors
)

var webhookMethods = []string{"GET", "POST", "PUT", "PATCH", "DELETE"}

// webhook converts a call, and the polling after it.
func webhook(j *job, out *v1alpha1.Stage) error {
	for _, key := range []string{"monitorOnly", "cancelEndpoint", "account"} {
		if !empty(j.raw[key]) {
			return fmt.Errorf("%s: weft's webhook has nothing like it", key)
		}
	}
	url, err := j.text("url", maxURL)
	if err != nil {
		return err
	}
	w := &v1alpha1.WebhookStage{URL: url, Method: strings.ToUpper(text(j.raw["method"]))}
	if w.Method == "" {
		w.Method = "POST"
	}
	if url == "" || !slices.Contains(webhookMethods, w.Method) {
		return fmt.Errorf("url %q, method %q: it does not say what to call, or not how weft can", cut(url, 80), cut(w.Method, 40))
	}
	if w.Body, err = j.body(); err != nil {
		return named("payload", err)
	}
	if err := j.headers(w); err != nil {
		return named("customHeaders", err)
	}
	if truth(j.raw["waitForCompletion"], false) {
		if w.Poll, err = j.poll(); err != nil {
			return err
		}
		if out.Timeout == nil {
			out.Timeout = lasting(webhookTimeout)
		}
	}
	out.Webhook = w
	return nil
}

func (j *job) body() (string, error) {
	value := j.raw["payload"]
	if empty(value) {
		return "", nil
	}
	out, err := "", error(nil)
	if s, ok := value.(string); ok {
		out, err = j.scope.text(s)
	} else {
		var b strings.Builder
		err = j.scope.json(&b, value)
		out = b.String()
	}
	if err == nil && len(out) > maxBody {
		err = fmt.Errorf("it has %d bytes, at most %d are possible", len(out), maxBody)
	}
	return out, err
}

// json writes a value as JSON in which each text that has expressions is one
// expression, which gives JSON: so a value with a quote in it stays one value.
func (s *scope) json(b *strings.Builder, value any) error {
	switch v := value.(type) {
	case string:
		if !hasExpression(v) {
			break
		}
		joined, err := s.joined(v)
		b.WriteString("${toJson(" + joined.text + ")}")
		return err
	case []any:
		return s.jsonItems(b, "[]", v, func(i int) string { return "" })
	case object:
		keys := sortedKeys(v)
		values := make([]any, len(keys))
		for i, key := range keys {
			if hasExpression(key) {
				return fmt.Errorf("the key %q is an expression", cut(key, 40))
			}
			values[i] = v[key]
		}
		return s.jsonItems(b, "{}", values, func(i int) string { return quoted(keys[i]) + ":" })
	}
	b.Write(encode(value))
	return nil
}

func (s *scope) jsonItems(b *strings.Builder, brackets string, values []any, key func(i int) string) error {
	b.WriteByte(brackets[0])
	for i, value := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(key(i))
		if err := s.json(b, value); err != nil {
			return err
		}
	}
	b.WriteByte(brackets[1])
	return nil
}

func (j *job) headers(w *v1alpha1.WebhookStage) error {
	given, _ := j.raw["customHeaders"].(object)
	typed := w.Body == ""
	for _, name := range sortedKeys(given) {
		value, err := j.scope.text(text(given[name]))
		if err != nil {
			return named(name, err)
		}
		if len(name) > maxHeaderName || len(value) > maxText || (value == "" && !empty(given[name])) {
			return fmt.Errorf("%s: it is too long, or its value is no text", cut(name, 40))
		}
		if strings.EqualFold(name, "Authorization") {
			j.note(Changed, "customHeaders."+name, "it stands in the pipeline for all to read: put it into a Secret and name it in secretKey")
		}
		typed = typed || strings.EqualFold(name, "Content-Type")
		w.Headers = append(w.Headers, v1alpha1.WebhookHeader{Name: name, Value: value})
	}
	if !typed {
		w.Headers = append(w.Headers, v1alpha1.WebhookHeader{Name: "Content-Type", Value: "application/json"})
	}
	if len(w.Headers) > maxHeaders {
		return fmt.Errorf("there are %d, at most %d are possible", len(w.Headers), maxHeaders)
	}
	return nil
}

func (j *job) poll() (*v1alpha1.WebhookPoll, error) {
	poll := &v1alpha1.WebhookPoll{Succeeded: "status >= 200 && status < 300"}
	switch resolution := text(j.raw["statusUrlResolution"]); resolution {
	case "", "getMethod":
	case "webhookResponse":
		path, err := j.scope.jsonPath(text(j.raw["statusUrlJsonPath"]))
		if err != nil {
			return nil, named("statusUrlJsonPath", err)
		}
		poll.URL = "${" + path + "}"
	default:
		return nil, fmt.Errorf("statusUrlResolution: weft cannot take the address from %q", cut(resolution, 40))
	}
	said := text(j.raw["statusJsonPath"])
	if said == "" {
		return poll, nil
	}
	path, err := j.scope.jsonPath(said)
	if err != nil {
		return nil, named("statusJsonPath", err)
	}
	poll.Succeeded = j.among(path, "successStatuses")
	poll.Failed = j.among(path, "terminalStatuses", "canceledStatuses")
	if poll.Succeeded == "" || len(poll.Succeeded) > maxText || len(poll.Failed) > maxText || hasExpression(poll.Succeeded+poll.Failed) {
		return nil, errors.New("successStatuses: there are none, too many, or they are expressions")
	}
	return poll, nil
}

// among says that the state is one of those that the fields list, in either case.
func (j *job) among(path string, fields ...string) string {
	var states []string
	for _, field := range fields {
		for state := range strings.SplitSeq(text(j.raw[field]), ",") {
			if state = strings.TrimSpace(state); state != "" {
				states = append(states, quoted(strings.ToLower(state)))
			}
		}
	}
	if len(states) == 0 {
		return ""
	}
	return "string(" + path + ").lowerAscii() in [" + strings.Join(states, ", ") + "]"
}

var simplePath = regexp.MustCompile(`^\$((\.[A-Za-z_][A-Za-z0-9_]*)|(\[[0-9]+\]))+$`)

// jsonPath converts a path of fields and indexes, which SpEL writes the same way.
func (s *scope) jsonPath(path string) (string, error) {
	if !simplePath.MatchString(path) {
		return "", fmt.Errorf("the JSON path %q is not of fields and indexes alone, such as $.a.b[0]", cut(path, 80))
	}
	n, err := parseSpEL("body" + path[1:])
	if err != nil {
		return "", err
	}
	_, steps := flatten(n)
	c, err := s.walk(atom("body", celAny), steps)
	return c.text, err
}

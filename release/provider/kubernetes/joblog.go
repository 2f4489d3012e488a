package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
)

// Where outputs are read: v1alpha1.RunJobStage says what they look like there.
const (
	fromFile = "file"
	fromLog  = "log"
)

// Limits of what is read of a Job, and, in bytes of JSON, of what is kept.
const (
	logLines   = "1000"
	maxRead    = 1 << 20
	maxLog     = 1 << 10
	maxWhy     = 200
	maxOutputs = 2 << 10
)

// Logs reads the last lines of what a container said.
type Logs func(ctx context.Context, namespace, pod, container string) (io.ReadCloser, error)

// NewLogs reads from the API server that config leads to.
func NewLogs(config *rest.Config) (Logs, error) {
	known := runtime.NewScheme()
	metav1.AddToGroupVersion(known, corev1.SchemeGroupVersion) // errors
	config = rest.CopyConfig(config)
	config.APIPath, config.GroupVersion = "/api", &corev1.SchemeGroupVersion
	config.NegotiatedSerializer = serializer.NewCodecFactory(known).WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, namespace, pod, container string) (io.ReadCloser, error) {
		return client.Get().Namespace(namespace).Resource("pods").Name(pod).SubResource("log").
			Param("container", container).Param("tailLines", logLines).Stream(ctx)
	}, nil
}

// log is the end of what a container said.
func (o Objects) log(ctx context.Context, pod corev1.Pod, container string) (string, error) {
	if o.at.Logs == nil {
		return "", errors.New("nobody reads logs here")
	}
	in, err := o.at.Logs(ctx, pod.Namespace, pod.Name, container)
	if err != nil {
		return "", fmt.Errorf("log of container %s of pod %s: %w", container, pod.Name, err)
	}
	defer in.Close()
	text, err := io.ReadAll(io.LimitReader(in, maxRead))
	return string(text), err
}

// tail is the last lines of a text that fit into so many bytes of JSON, and can be read.
func tail(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || r == unicode.ReplacementChar) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.TrimSpace(text)
	whole := len(text)
	text = text[max(0, len(text)-most):]
	for more := bytesOf(text) - most; more > 0; more = bytesOf(text) - most {
		text = text[max(1, more/6):] // no byte takes more than 6 of JSON
	}
	if _, lines, ok := strings.Cut(text, "\n"); ok && len(text) < whole {
		return lines
	}
	return strings.ToValidUTF8(text, "")
}

func bytesOf(text string) int {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic("kubernetes: " + err.Error()) // a text
	}
	return len(encoded) - 2 // its quotes
}

var outputShape = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// outputs are the NAME=VALUE in a text, by where it is from.
func outputs(text, from string) (map[string]string, error) {
	if from == "" {
		return nil, nil
	}
	found := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if from == fromLog {
			line = marked(line)
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); !ok || !outputShape.MatchString(name) || name == "job" || name == "log" {
			return nil, fmt.Errorf("%q is no NAME=VALUE, or job or log, which the stage gives", tail(line, maxWhy))
		}
		found[name] = strings.ToValidUTF8(strings.TrimSpace(value), "")
	}
	if all, err := json.Marshal(found); err != nil || len(all) > maxOutputs {
		return nil, fmt.Errorf("they have %d bytes, at most %d are kept", len(all), maxOutputs)
	}
	return found, nil
}

// marked is what a line of a log says of an output; "": nothing.
func marked(line string) string {
	if rest, ok := strings.CutPrefix(line, "WEFT_OUTPUT_"); ok {
		return rest
	}
	if rest, ok := strings.CutPrefix(line, "SPINNAKER_PROPERTY_"); ok {
		name, value, _ := strings.Cut(rest, "=")
		return strings.ToLower(name) + "=" + value // as Spinnaker has it
	}
	return ""
}

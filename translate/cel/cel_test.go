package cel

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"weft.dev/test/envoytest"
)

var taken = []string{
	`response.code >= 400`,
	`connection.mtls && request.url_path.contains('v1beta3')`,
	`!has(request.useragent) || !(request.useragent.startsWith("Probe"))`,
	`response.code in [404, 503] ? request.size > 10 : response.flags != 0`,
	`request.headers['x-a'].matches("^a(b|c)+[0-9a-z]*d?$") || request.path.endsWith(r"\d")`,
	`request.duration > duration("1s") && request.time < timestamp("2030-01-01T00:00:00Z")`,
	`size(request.path) + request.path.size() * 2 - -1 > 3u || {"a": 1}["a"] == 2 || double(response.code) / 2.0 == 100.0`,
	`xds.cluster_name == "x" && upstream.address != "" && source.port % 2 == 0 && metadata.filter_metadata["weft"]["a"] == "b"`,
	`request.path.matches("` + strings.Repeat("a", 70) + `")`,
	`request.path.matches(".*.*.")`,
	`request.path.matches("[^a]\\W")`,
}

var refusals = []string{
	``, `response.code >=`, `foo.bar == 1`, `lowerAscii(request.path) == "a"`, `request.path.lowerAscii() == "a"`, `string(response.code) == "200"`,
	`[1, 2].exists(x, x == response.code)`, `request.?headers`, `google.protobuf.Duration{seconds: 1} == request.duration`, `startsWith("a", "b")`,
	`request.path.startsWith()`, `matches(request.path, "a(")`, `request.path.matches("a(")`, `request.path.matches(request.method)`, `request.path.matches(1)`,
	`request.path.matches("` + strings.Repeat("a", 120) + `")`, `request.path.matches("[0-9a-z]{100}")`, `request.path.matches("\\pL\\pN")`,
	strings.Repeat("(", 500) + "true" + strings.Repeat(")", 500), strings.Repeat(`response.code == 1 || `, 500) + "true",
}

func TestWhatIsRefused(t *testing.T) {
	for _, text := range refusals {
		if Check(text) == "" {
			t.Errorf("%.80s is taken", text)
		}
	}
}

// A real Envoy takes what is taken here: else one expression would keep a listener from every change.
func TestEnvoyTakesThem(t *testing.T) {
	var logs []any
	for _, text := range taken {
		if why := Check(text); why != "" {
			t.Errorf("%s: %s", text, why)
			continue
		}
		logs = append(logs, map[string]any{
			"name": "envoy.access_loggers.stderr",
			"filter": map[string]any{"extension_filter": map[string]any{"name": "cel", "typed_config": map[string]any{
				"@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", "expression": text,
			}}},
			"typed_config": map[string]any{"@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog"},
		})
	}
	body, err := json.Marshal(map[string]any{"static_resources": map[string]any{"listeners": []any{map[string]any{
		"name": "l", "address": map[string]any{"socket_address": map[string]any{"address": "127.0.0.1", "port_value": 0}}, "access_log": logs,
		"filter_chains": []any{map[string]any{}},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "envoy.json")
	if err := os.WriteFile(file, body, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(envoytest.Binary(t), "--mode", "validate", "--log-level", "error", "-c", file).CombinedOutput(); err != nil {
		t.Errorf("Envoy: %v: %s", err, out)
	}
}

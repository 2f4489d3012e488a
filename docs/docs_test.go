// Package docs has the pages that are made of other files: this keeps them true.
package docs

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

//go:generate go test . -run TestGatewayAPI -update

var update = flag.Bool("update", false, "write the pages anew")

// report is what the Gateway API's suite says of weft.
type report struct {
	GatewayAPIVersion, GatewayAPIChannel string

	Profiles []profile
}

type profile struct {
	Name           string
	Core, Extended part
}

type part struct {
	Statistics                             struct{ Passed, Failed, Skipped int }
	SupportedFeatures, UnsupportedFeatures []string
}

// peers are what others had passed in the newest of their reports that the suite's repository has; "": none of this profile.
var peers = []struct {
	name   string
	passed map[string]string
}{
	{"Envoy Gateway 1.9, v1.6.1", map[string]string{"GATEWAY-HTTP": "37 + 55", "GATEWAY-GRPC": "15 + 9", "GATEWAY-TLS": "20 + 14"}},
	{"Cilium 1.20, v1.6.1", map[string]string{"GATEWAY-HTTP": "37 + 47", "GATEWAY-GRPC": "15 + 10", "GATEWAY-TLS": "20 + 11", "GATEWAY-TCP": "19 + 10", "MESH-HTTP": "7 + 7", "MESH-GRPC": "2"}},
	{"Istio 1.30, v1.5.1", map[string]string{"GATEWAY-HTTP": "33 + 38", "GATEWAY-GRPC": "13 + 3", "GATEWAY-TLS": "18 + 7", "MESH-HTTP": "7 + 7"}},
}

// instead is what to do where weft does not have a feature.
var instead = map[string]string{
	"MeshClusterIPMatching": "leave `Host` as the URL makes it: by name or by ClusterIP the call goes to the service that was dialled. Where a `Host` names another service, that one is meant",
}

// TestGatewayAPI: the page says what the reports do, and of each feature that weft has not what to do instead.
func TestGatewayAPI(t *testing.T) {
	var all []report
	for _, name := range []string{"gateway", "mesh", "experimental"} {
		text, err := os.ReadFile("conformance/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		var r report
		if err := yaml.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(r.Profiles, func(a, b profile) int { return strings.Compare(a.Name, b.Name) })
		all = append(all, r)
	}
	want, table := gatewayAPI(t, all[:2], all[2])
	if readme, err := os.ReadFile("../README.md"); err != nil || !strings.Contains(string(readme), table) {
		t.Errorf("README.md has not the newest totals (%v): put into it\n%s", err, table)
	}
	if *update {
		if err := os.WriteFile("gateway-api.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("gateway-api.md"); err != nil || string(got) != want {
		t.Errorf("gateway-api.md is not what the reports say (%v): go generate ./docs writes it anew", err)
	}
}

// gatewayAPI is the page, and the table of totals in it.
func gatewayAPI(t *testing.T, all []report, experimental report) (page, table string) {
	var b strings.Builder
	has, lacks := map[string]bool{}, map[string]bool{}
	fmt.Fprintf(&b, "# The Gateway API\n\nMade of the reports in [conformance](conformance), which `make test-conformance` leaves: the Gateway API's own suite, %s, %s channel, on a real Kubernetes.\n"+
		"A number is of tests that passed, of the core and beyond it; none failed or was left out, or it is said.\n\n", all[0].GatewayAPIVersion, all[0].GatewayAPIChannel)
	intro := b.Len()
	b.WriteString("| profile | weft |")
	for _, p := range peers {
		fmt.Fprintf(&b, " %s |", p.name)
	}
	b.WriteString("\n| --- | --- |" + strings.Repeat(" --- |", len(peers)) + "\n")
	if experimental.GatewayAPIChannel != "experimental" {
		t.Errorf("experimental.yaml is of the %s channel", experimental.GatewayAPIChannel)
	}
	for _, r := range all {
		for _, p := range r.Profiles {
			fmt.Fprintf(&b, "| %s | %s |", p.Name, p.passed())
			for _, peer := range peers {
				fmt.Fprintf(&b, " %s |", peer.passed[p.Name])
			}
			b.WriteString("\n")
			for _, f := range p.Extended.SupportedFeatures {
				has[f] = true
			}
			for _, f := range p.Extended.UnsupportedFeatures {
				lacks[f] = true
			}
		}
	}
	table = b.String()[intro:]
	fmt.Fprintf(&b, "\n## Beyond the core\n\n%s.\n", strings.Join(slices.Sorted(maps.Keys(has)), ", "))
	b.WriteString(onlyThere(experimental, has, lacks))
	b.WriteString("\n## Not there yet\n\n| feature | instead |\n| --- | --- |\n")
	for _, f := range slices.Sorted(maps.Keys(lacks)) {
		if instead[f] == "" {
			t.Errorf("weft has not the feature %s: say what to do instead", f)
		}
		fmt.Fprintf(&b, "| %s | %s |\n", f, instead[f])
	}
	return b.String(), table
}

// onlyThere are the features that the experimental channel has and the other has not. They are no longer lacking.
func onlyThere(r report, has, lacks map[string]bool) string {
	more := map[string]bool{}
	var totals []string
	for _, p := range r.Profiles {
		totals = append(totals, p.Name+" "+p.passed())
		for _, f := range p.Extended.SupportedFeatures {
			if !has[f] {
				more[f] = true
				delete(lacks, f)
			}
		}
	}
	return fmt.Sprintf("\n## With the experimental channel\n\n%s.\n\nThe standard channel's HTTPRoute has no field `retry`. Where the cluster has the CRDs of the experimental channel weft honours it, and `make test-conformance` runs the "+
		"suite for gateways with those, too: %s. The suite tries retries of statuses; those after a timeout and a lost connection, of which it has no test, are tried by weft's own (`compile.TestTraffic`, `test/scenario/testdata/resilience.txtar`). Without Kubernetes nothing is to be installed: weft's own server, and a mesh in files, have the field.\n",
		strings.Join(slices.Sorted(maps.Keys(more)), ", "), strings.Join(totals, ", "))
}

func (p profile) passed() string {
	text := fmt.Sprint(p.Core.Statistics.Passed)
	if n := p.Extended.Statistics.Passed; n > 0 {
		text += fmt.Sprintf(" + %d", n)
	}
	for _, s := range []part{p.Core, p.Extended} {
		if n := s.Statistics.Failed + s.Statistics.Skipped; n > 0 {
			text += fmt.Sprintf(", %d did not", n)
		}
	}
	return text
}

// proof is a test of a package, or a golden, as a page names it.
var proof = regexp.MustCompile("`([a-z/]+)\\.(Test[A-Za-z]+)`|`([a-z/]+/testdata/[a-z_/]+\\.[a-z]+)`")

// TestTenantsPage: what docs/tenants.md calls proofs there is, and each row has one.
func TestTenantsPage(t *testing.T) {
	page, err := os.ReadFile("tenants.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		found := proof.FindAllStringSubmatch(line, -1)
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| what") && !strings.HasPrefix(line, "| ---") {
			if rows++; len(found) == 0 {
				t.Errorf("no proof of %s", line)
			}
		}
		for _, p := range found {
			if p[3] != "" {
				if _, err := os.Stat("../" + p[3]); err != nil {
					t.Error(err)
				}
			} else if !hasTest(t, p[1], p[2]) {
				t.Errorf("%s has no %s", p[1], p[2])
			}
		}
	}
	if rows < 15 {
		t.Errorf("only %d rows", rows)
	}
}

func hasTest(t *testing.T, folder, name string) bool {
	files, err := filepath.Glob("../" + folder + "/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		text, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(text), "func "+name+"(")
	})
}

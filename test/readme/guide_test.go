package readme

import (
	"strings"
	"testing"
	"time"
)

// TestConfigurationAsCode runs the commands of the guide.
func TestConfigurationAsCode(t *testing.T) { follow(t, "docs/guides/configuration-as-code.md") }

// TestSpinnaker runs the commands of the guide.
func TestSpinnaker(t *testing.T) { follow(t, "docs/guides/spinnaker.md") }

// TestTriggers runs the commands of the guide.
func TestTriggers(t *testing.T) { follow(t, "docs/guides/triggers.md") }

// TestTroubleshoot runs the commands of the guide.
func TestTroubleshoot(t *testing.T) { follow(t, "docs/guides/troubleshoot.md") }

// follow runs the commands of a guide, which starts the servers that it needs.
func follow(t *testing.T, guide string) {
	t.Helper()
	var all strings.Builder
	for _, b := range blocks(t, guide) {
		all.WriteString(b.text)
	}
	if all.Len() == 0 {
		t.Fatal("the guide has no commands")
	}
	shell(t, "PATH=\"$PWD/bin:$PATH\"\n"+all.String(), 2*time.Minute)
}

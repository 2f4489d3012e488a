package readme

import (
	"strings"
	"testing"
	"time"
)

// TestConfigurationAsCode runs the commands of the guide.
func TestConfigurationAsCode(t *testing.T) {
	var all strings.Builder
	for _, b := range blocks(t, "docs/guides/configuration-as-code.md") {
		all.WriteString(b.text)
	}
	if all.Len() == 0 {
		t.Fatal("the guide has no commands")
	}
	shell(t, "PATH=\"$PWD/bin:$PATH\"\n"+all.String(), 2*time.Minute)
}

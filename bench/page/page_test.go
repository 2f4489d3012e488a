package page

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	const begin, end = "<!-- judge: begin -->\n", "<!-- judge: end -->"
	page := filepath.Join(t.TempDir(), "judge.md")
	for text, want := range map[string]string{
		"a\n" + begin + "old" + end + "\nz": "a\n" + begin + "new\n" + end + "\nz",
		"no marks":                          "",
	} {
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Show("new\n", page, "judge")
		if got, _ := os.ReadFile(page); want != "" && (err != nil || string(got) != want) {
			t.Errorf("%q, %v", got, err)
		}
		if want == "" && (err == nil || !strings.Contains(err.Error(), "lacks the marks")) {
			t.Errorf("a page without marks: %v", err)
		}
	}
}

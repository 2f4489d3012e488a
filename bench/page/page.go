// Package page puts what a bench measured into a page of docs.
package page

import (
	"fmt"
	"os"
	"strings"
)

// Show replaces what is between the marks of a name in a page: <!-- NAME: begin -->
// and <!-- NAME: end -->. Without a page it prints the text.
func Show(text, page, name string) error {
	if page == "" {
		fmt.Print(text)
		return nil
	}
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	begin, end := fmt.Sprintf("<!-- %s: begin -->\n", name), fmt.Sprintf("<!-- %s: end -->", name)
	before, rest, begins := strings.Cut(string(old), begin)
	_, after, ends := strings.Cut(rest, end)
	if !begins || !ends {
		return fmt.Errorf("%s: lacks the marks %q and %q", page, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(page, []byte(before+begin+text+end+after), 0o644)
}

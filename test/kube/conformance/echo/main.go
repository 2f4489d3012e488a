// echo is the workload of the suite's mesh profiles: a server that says what reached it, and, as `client`, who calls one and says
// what came back, in the words that the suite reads.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	run := serve
	if filepath.Base(os.Args[0]) == "client" {
		run = call
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

// xdsload simulates N Envoys against an xDS server and prints what it cost them: see package load.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"weft.dev/bench/control-plane/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := load.Main(ctx, os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "xdsload:", err)
		os.Exit(1)
	}
}

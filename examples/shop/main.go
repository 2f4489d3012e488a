// Shop is a small shop of seven services and one outside API, in one binary:
//
//	frontend ─▶ catalog ─▶ pricing ─▶ rates.example.com (outside of the mesh)
//	         ├▶ reviews ─▶ ratings (gRPC)
//	         ├▶ recommendations
//	         └▶ cart
//
// `shop SERVICE` runs one of them, or a part of Bookinfo. They know each other by name only and know
// nothing of weft: HTTP_PROXY and HTTPS_PROXY, which every HTTP library
// honours, lead through the mesh.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// service makes the handler of one service.
type service func(options) http.Handler

var services = map[string]service{
	"frontend":        frontend,
	"catalog":         catalog,
	"pricing":         pricing,
	"reviews":         reviews,
	"recommendations": recommendations,
	"cart":            cart,
	"rates":           rates,

	"bookinfo-productpage": bookProductpage,
	"bookinfo-details":     bookDetails,
	"bookinfo-reviews":     bookReviews,
	"bookinfo-ratings":     bookRatings,
}

// options are what every service understands.
type options struct {
	version   string
	errorRate float64       // share of requests to answer with 500, in percent
	delay     time.Duration // before each answer
}

func main() {
	flags := flag.NewFlagSet("shop", flag.ExitOnError)
	opts := options{version: os.Getenv("WEFT_VERSION")}
	port := flags.String("port", os.Getenv("PORT"), "port to listen on")
	host := flags.String("host", "127.0.0.1", "address to listen on; in a pod 0.0.0.0")
	flags.Float64Var(&opts.errorRate, "error-rate", 0, "percent of requests to answer with 500")
	flags.DurationVar(&opts.delay, "delay", 0, "time to wait before each answer")
	flags.Usage = func() {
		names := append(slices.Sorted(maps.Keys(services)), "ratings")
		fmt.Fprintf(os.Stderr, "usage: shop %s [flags]\n", strings.Join(names, "|"))
		flags.PrintDefaults()
	}
	if len(os.Args) < 2 {
		flags.Usage()
		os.Exit(64)
	}
	name := os.Args[1]
	_ = flags.Parse(os.Args[2:])
	address := net.JoinHostPort(*host, *port)
	log.SetPrefix(name + " ")
	if name == "ratings" {
		log.Fatal(serveRatings(address))
	}
	build, ok := services[name]
	if !ok {
		flags.Usage()
		os.Exit(64)
	}
	server := &http.Server{Addr: address, Handler: faulty(opts, build(opts)), ReadHeaderTimeout: 5 * time.Second}
	if err := serve(server); err != nil {
		log.Fatal(err)
	}
}

// serve ends on SIGTERM, and answers first what it was asked before.
func serve(server *http.Server) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return server.Shutdown(context.Background()) // whoever stops it waits only so long
	}
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
)

// result is what the load generator printed at its end.
type result struct {
	Sent, OK int
	ByStatus map[string]int
	ByFault  map[string]int
	P50, P99 float64
}

// finish ends the load and accounts for every request of the story.
func (d *demo) finish() {
	d.load.end(20 * time.Second)
	if err := json.Unmarshal(d.load.out.Bytes(), &d.counted); err != nil {
		failf("the load generator printed %q: %v", d.load.out.String(), err)
	}
	r := d.counted
	byV2 := r.ByFault["v2"]
	fmt.Printf("\n%d requests: %d answered well, %d answered badly by reviews v2 itself, %d failed otherwise; p50 %.1f ms, p99 %.1f ms\n",
		r.Sent, r.OK, byV2, r.Sent-r.OK-byV2, r.P50, r.P99)
	if r.Sent == 0 || byV2 == 0 {
		failf("a story without traffic, or without the bug, proves nothing")
	}
	if failed := r.Sent - r.OK - byV2; failed > 0 {
		failf("%d requests failed that reviews v2 did not answer badly: %v", failed, r.ByStatus)
	}
}

// stay leaves everything running until the person ends it.
func (d *demo) stay(ctx context.Context) {
	link, riddle := d.pages(), ""
	if d.load != nil {
		riddle = d.mistake()
	}
	fmt.Printf(`
All of it is still running. To try next, in another shell in this folder:

  export WEFT_DATA=%[1]s/data KUBECONFIG=%[1]s/data/admin.kubeconfig SHOP=http://%[2]s/
  curl $SHOP
  bin/weft edges
  bin/weft release list
  bin/weft explain frontend GET http://reviews:9080/reviews/1
  kubectl get applications,releases,trafficsplits,workloads
  kubectl edit virtualservice catalog

Ctrl-C ends it and removes %[1]s.

%[4]sSee it in a browser: %[3]s
`, d.dir, d.ingress, link, riddle)
	<-ctx.Done()
}

// mistake is a release of somebody in a hurry, for who looks at the pages to find.
func (d *demo) mistake() (riddle string) {
	fmt.Println("\nOne more release, by somebody in a hurry:")
	d.run(instance{app: "reviews", version: "v5", port: "9080", extra: []string{"--error-rate", "30"}})
	d.untilCurrent(len(shop) + 5)
	d.show(0, "apply", "-f", "examples/shop/demo/hurry.yaml")
	d.show(0, "release", "watch", "reviews-v5-hurry")
	return "Something is wrong in the shop now: which service fails, why, and which release did it? `bin/weft undo reviews` ends it.\n"
}

// pages leads to the web UI, with calls that it can show.
func (d *demo) pages() (link string) {
	if d.load != nil {
		d.load = d.start("load", "bin/load", "--rate", "20", "--quiet", "http://"+d.ingress+"/")
	}
	d.ui = d.start("ui", "bin/weft", "ui")
	d.until("weft ui prints its link", 20*time.Second, func() (bool, string) {
		text, err := os.ReadFile(d.ui.log)
		if err != nil {
			return false, err.Error()
		}
		line, _, whole := strings.Cut(string(text), "\n")
		link = line
		return whole && strings.HasPrefix(line, "http://"), string(text)
	})
	return link
}

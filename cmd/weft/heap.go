package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The process lives well with little: an idle server stays under 300 MB.
const (
	gcPercent   = 40
	memoryLimit = 2 << 30 // soft; collection gets eager near it
	// leastGrowth of the heap comes between two collections: of a small one, a percentage is a
	// few megabytes, and reading a mesh was a hundred collections and twice the time.
	leastGrowth = 48 << 20
	// muchGarbage is worth a collection at a quiet time, so that no change has to wait for it.
	muchGarbage = 24 << 20
)

// paceCollector sets, after each collection, when the next one is due.
func paceCollector() {
	debug.SetMemoryLimit(memoryLimit)
	percent := 0
	var pace func(struct{})
	pace = func(struct{}) {
		_, live := heap()
		if next := max(gcPercent, int(100*leastGrowth/max(live, 1<<20))); next != percent {
			percent = next
			debug.SetGCPercent(percent)
		}
		runtime.AddCleanup(&struct{ *int }{}, pace, struct{}{}) // called when the next collection finds it
	}
	pace(struct{}{})
}

// collect gives back what a crowd of proxies took, if that is much.
func collect() {
	if now, live := heap(); now > live+muchGarbage {
		debug.FreeOSMemory()
	}
}

// heap is what objects take now, and what the last collection found in use. In bytes.
func heap() (now, live uint64) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}

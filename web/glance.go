package web

import (
	"sync"
	"time"
)

// mostGlances are shared at a time: pages ask for three time ranges, and who asks for more gets them alone.
const mostGlances = 8

// glances are the mesh as it is seen during one second, by time range: however many people look,
// it is found once.
type glances struct {
	mesh Mesh
	mu   sync.Mutex
	of   moment
	all  map[time.Duration]*glance
}

// moment is when nothing else can be seen: rates are others each second.
type moment struct {
	second             int64
	revision, releases uint64
}

// glance is what follows from the calls of one time range. What it hands out is shared: nobody changes it.
type glance struct {
	land     func() land
	services func() []Service
	topology func() page
}

func newGlances(mesh Mesh) *glances { return &glances{mesh: mesh} }

// at is how the mesh looks now, with calls of the last window.
func (g *glances) at(window time.Duration, now time.Time) *glance {
	of := moment{now.Unix(), g.mesh.Status().Revision, g.mesh.ReleasesChanged()}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.of != of {
		g.of, g.all = of, map[time.Duration]*glance{}
	}
	found := g.all[window]
	if found == nil {
		found = look(g.mesh, window, now)
		if len(g.all) < mostGlances {
			g.all[window] = found
		}
	}
	return found
}

func look(mesh Mesh, window time.Duration, now time.Time) *glance {
	l := sync.OnceValue(func() land { return survey(mesh, mesh.Edges(window)) })
	services := sync.OnceValue(func() []Service { return l().services() })
	return &glance{
		land: l, services: services,
		topology: sync.OnceValue(func() page { return newPage(l().topology(services(), now)) }),
	}
}

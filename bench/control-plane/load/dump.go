package load

import (
	"encoding/binary"
	"os"
	"slices"
	"sync"
)

// dump is the resources of one proxy, for gcpserver: type byte, then name and Any, each length-prefixed.
type dump struct {
	mu sync.Mutex
	m  [ntypes]map[string][]byte
}

func (d *dump) take(t int, r *response) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.m[t] == nil {
		d.m[t] = map[string][]byte{}
	}
	for _, x := range r.resources {
		if x.any != nil {
			d.m[t][x.name] = slices.Clone(x.any)
		}
	}
	for _, n := range r.removed {
		delete(d.m[t], n)
	}
}

func (d *dump) write(path string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var b []byte
	for t := range ntypes {
		for n, v := range d.m[t] {
			b = append(b, byte(t))
			b = binary.AppendUvarint(b, uint64(len(n)))
			b = append(b, n...)
			b = binary.AppendUvarint(b, uint64(len(v)))
			b = append(b, v...)
		}
	}
	return os.WriteFile(path, b, 0o644)
}

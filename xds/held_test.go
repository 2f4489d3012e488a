package xds

import (
	"sync"

	"weft.dev/model"
)

// held are views that a test sets. Each proxy is its own scope.
type held struct {
	mu       sync.Mutex
	rev      uint64
	views    map[string]*model.View
	onChange func(rev uint64, scopes, proxies []string)
}

func newHeld() *held { return &held{views: map[string]*model.View{}} }

// Set gives a proxy its view, and returns the revision of the change. The
// view's Scope is the proxy.
func (h *held) Set(proxy string, layers ...*model.Layer) uint64 {
	h.mu.Lock()
	h.rev++
	rev, f := h.rev, h.onChange
	_, known := h.views[proxy]
	h.views[proxy] = &model.View{Scope: proxy, Layers: layers}
	h.mu.Unlock()
	if f == nil {
		return rev
	}
	if known {
		f(rev, []string{proxy}, nil)
	} else {
		f(rev, nil, []string{proxy})
	}
	return rev
}

func (h *held) View(proxy string) (scope string, v *model.View, rev uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	v = h.views[proxy]
	if v == nil {
		return "", nil, h.rev
	}
	return proxy, v, h.rev
}

func (h *held) OnChange(f func(rev uint64, scopes, proxies []string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.onChange = f
}

package xds

import (
	"slices"
	"strings"

	"weft.dev/model"
)

// accept ends the flight: the client holds what it brought.
func (sub *subscription) accept() {
	for _, r := range sub.flight.fresh {
		it := sub.items[r.Name]
		if it == nil {
			continue // unsubscribed meanwhile
		}
		it.untry(r.Version)
		*it = item{version: r.Version, held: r, sent: true, force: it.force, absent: it.absent, tries: it.tries}
		delete(sub.refused, r.Name)
	}
	sub.land()
}

// refuse ends the flight: the client holds what it held, or, of a response
// with several resources, any of them; Envoy applies the good ones. What is
// refused alone is to blame. Of several it is those that the reason names, else
// maybe any: suspects go alone, after the others, and so does whatever is
// refused in company twice.
func (sub *subscription) refuse(reason string) {
	fresh := sub.flight.fresh
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	named := slices.ContainsFunc(fresh, func(r *model.Resource) bool { return mentions(reason, r.Name) })
	var last []string
	for _, r := range fresh {
		it := sub.items[r.Name]
		if it == nil {
			continue // unsubscribed meanwhile
		}
		times := it.failed(r.Version, reason)
		if len(fresh) == 1 {
			it.maybe = slices.DeleteFunc(it.maybe, func(m *model.Resource) bool { return m == r })
			sub.blame(r, reason)
		}
		if !named || times > 1 || mentions(reason, r.Name) {
			it.alone = true
			last = append(last, r.Name)
		} else {
			sub.enqueue(r.Name)
		}
	}
	for _, name := range last {
		sub.enqueue(name)
	}
	sub.land()
}

// blame has people told why the client does not get a resource.
func (sub *subscription) blame(r *model.Resource, reason string) {
	sub.item(r.Name).refused = &model.Refusal{Type: r.Type.String(), Name: r.Name, Version: r.Version, Reason: reason}
	sub.refused[r.Name] = struct{}{}
}

// land ends the flight, however it was answered. What it removed is gone: a
// client has no reason to refuse a removal, and must not be trusted to keep what it did.
func (sub *subscription) land() {
	for _, name := range sub.flight.removed {
		if it := sub.items[name]; it != nil && it.version == 0 && len(it.maybe) == 0 && !it.absent {
			sub.forget(name)
		}
	}
	sub.flight = nil
}

// mentions says whether text names a resource: the name, and not a longer one
// that contains it.
func mentions(text, name string) bool {
	inName := func(c byte) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(".:_-/|*", c) >= 0
	}
	for from := 0; name != ""; {
		i := strings.Index(text[from:], name)
		if i < 0 {
			break
		}
		start := from + i
		rest := text[start+len(name):]
		if len(rest) > 0 && (rest[0] == ':' || rest[0] == '.') { // of the sentence, unless the name goes on
			rest = rest[1:]
		}
		if (start == 0 || !inName(text[start-1])) && (rest == "" || !inName(rest[0])) {
			return true
		}
		from = start + 1
	}
	return false
}

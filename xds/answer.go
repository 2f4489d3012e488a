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
		*it = item{version: r.Version, held: r, sent: true, force: it.force, absent: it.absent, tries: it.tries}
		delete(sub.refused, r.Name)
	}
	sub.land()
}

// refuse ends the flight: the client holds what it held, or, of a response
// with several resources, any of them; Envoy applies the good ones. Who alone is
// refused is to blame. Of several it is those that the reason names, else
// maybe any: they go alone, after the others.
func (sub *subscription) refuse(t model.Type, reason string) {
	fresh := sub.flight.fresh
	reason = strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "")
	suspects := slices.Clone(fresh)
	if len(fresh) > 1 {
		if named := slices.DeleteFunc(suspects, func(r *model.Resource) bool { return !mentions(reason, r.Name) }); len(named) > 0 {
			suspects = named
		} else {
			suspects = fresh
		}
	}
	for _, r := range fresh {
		it := sub.items[r.Name]
		if it == nil {
			continue
		}
		times := it.failed(r.Version)
		suspect := slices.Contains(suspects, r)
		it.alone = it.alone || suspect
		if len(fresh) == 1 {
			it.maybe = slices.DeleteFunc(it.maybe, func(m *model.Resource) bool { return m == r })
		}
		if len(fresh) == 1 || times > maxResends {
			it.refused = &model.Refusal{Type: t.String(), Name: r.Name, Version: r.Version, Reason: reason}
			sub.refused[r.Name] = struct{}{}
		}
		if !suspect {
			sub.enqueue(r.Name)
		}
	}
	for _, r := range suspects {
		if sub.items[r.Name] != nil {
			sub.enqueue(r.Name)
		}
	}
	sub.land()
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

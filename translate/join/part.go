package join

import (
	"cmp"
	"reflect"
	"slices"

	"weft.dev/flow"
	"weft.dev/model"
)

// Part is what one object says, before its references are looked up. Key: object.
type Part struct {
	Object     model.Key
	Generation int64
	Rank       int64
	Problems   []model.Problem

	said []any // lists of rows: an object says one or two of the many kinds of things
}

// Labels of a Namespace.
type Labels map[string]string

// Say adds all that the part's object says of one type.
func Say[T any](p *Part, rows ...T) {
	if len(rows) > 0 {
		p.said = append(p.said, rows)
	}
}

// Of is all that a part says of one type. It belongs to the part.
func Of[T any](p Part) []T {
	for _, list := range p.said {
		if rows, ok := list.([]T); ok {
			return rows
		}
	}
	return nil
}

func (p Part) Key() string       { return p.Object.String() }
func (p Part) Equal(o Part) bool { return reflect.DeepEqual(p, o) }

// problems collects what is wrong with the references of one part.
type problems struct {
	part Part
	all  []model.Problem
}

func (p *problems) add(code, path, message string) {
	problem := model.Problem{Object: p.part.Object, Generation: p.part.Generation, Code: code, Path: path, Message: message}
	if !slices.Contains(p.all, problem) && len(p.all) < maxProblems {
		p.all = append(p.all, problem)
	}
}

// maxProblems bounds what one object reports of its references.
const maxProblems = 50

// item is one thing that one object says.
type item[T any] struct {
	ID     string
	Object model.Key
	Rank   int64
	Value  T
}

func (i item[T]) Key() string { return i.ID }
func (i item[T]) Equal(o item[T]) bool {
	if i.ID != o.ID || i.Object != o.Object || i.Rank != o.Rank {
		return false
	}
	if v, ok := any(i.Value).(interface{ Equal(T) bool }); ok {
		return v.Equal(o.Value)
	}
	return reflect.DeepEqual(i.Value, o.Value)
}
func (i item[T]) older(o item[T]) int {
	return cmp.Or(cmp.Compare(i.Rank, o.Rank), i.Object.Compare(o.Object))
}

// said takes apart what all parts say of one type.
func said[T any](parts *flow.Collection[Part], name string, id func(T) string) *flow.Collection[item[T]] {
	return items(parts, name, func(_ *flow.Ctx, p Part) []T { return Of[T](p) }, id)
}

// items takes apart what all parts say, in the form in which it counts.
func items[T any](parts *flow.Collection[Part], name string, field func(*flow.Ctx, Part) []T, id func(T) string) *flow.Collection[item[T]] {
	return flow.Derive(parts, name, func(x *flow.Ctx, p Part) []item[T] {
		var all []item[T]
		for _, v := range field(x, p) {
			all = append(all, item[T]{ID: id(v) + "|" + p.Key(), Object: p.Object, Rank: p.Rank, Value: v})
		}
		return all
	})
}

// oldest of items that want the same.
func oldest[T any](all []item[T]) item[T] {
	return slices.MinFunc(all, item[T].older)
}

// rows takes one field of all rows as it is.
func rows[I flow.Row[I], O flow.Row[O]](in *flow.Collection[I], name string, field func(I) []O) *flow.Collection[O] {
	return flow.Derive(in, name, func(_ *flow.Ctx, row I) []O { return slices.Clone(field(row)) })
}

// oldestOf keeps, of the items of each host, the oldest.
func oldestOf[T flow.Row[T]](all *flow.Collection[item[T]], name string) *flow.Collection[T] {
	byHost := flow.NewIndex(all, func(i item[T]) []string { return []string{i.Value.Key()} })
	return flow.Group(byHost, name, func(_ *flow.Ctx, _ string, same []item[T]) *T {
		first := oldest(same)
		return &first.Value
	})
}

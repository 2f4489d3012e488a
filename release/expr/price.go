package expr

import (
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// deep are the functions that go through all of their values. Of a call whose types
// are not known before, CEL does not tell the overload.
var deep = map[string]bool{
	"==": true, "!=": true, "is in": true, "+": true, "join": true, "split": true, "toJson": true, "fromJson": true,
}

// price says what a call cost, in CEL's units.
type price struct{}

func (price) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	cost := uint64(1)
	for _, v := range append(args[:len(args):len(args)], result) {
		if _, isMap := v.(traits.Mapper); deep[function] && !(isMap && function == "is in") {
			cost += uint64(weight(v))
		} else {
			cost += uint64(bytesOf(v) / 10)
		}
	}
	if function == "matching" {
		text, _ := args[0].(types.String) // it may be an error
		pattern, _ := args[1].(types.String)
		cost += uint64(min(maxMatch, matchWork(string(text), string(pattern))) / 20)
	}
	return &cost
}

func bytesOf(v ref.Val) int {
	switch v := v.(type) {
	case types.String:
		return len(v)
	case types.Bytes:
		return len(v)
	}
	return 0
}

// weight is the work of going through a value: one for each that is in it, and
// for ten bytes. It stops counting where it is too much, since a small
// expression can make a value that refers to itself in more places than there is time to visit.
func weight(v ref.Val) int {
	left := maxDeep + 1
	weigh(v, &left)
	return maxDeep + 1 - left
}

func weigh(v ref.Val, left *int) {
	*left -= 1 + bytesOf(v)/10
	switch v := v.(type) {
	case traits.Mapper:
		for it := v.Iterator(); *left > 0 && it.HasNext() == types.True; {
			key := it.Next()
			weigh(key, left)
			weigh(v.Get(key), left)
		}
	case traits.Lister:
		for it := v.Iterator(); *left > 0 && it.HasNext() == types.True; {
			weigh(it.Next(), left)
		}
	}
}

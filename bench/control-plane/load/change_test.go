package load

import (
	"strings"
	"testing"
)

func TestExpectIn(t *testing.T) {
	rs := []resource{{name: "other", body: []byte("m-3-end")}, {name: "out/svc-1", body: []byte("..m-2-end..")}}
	for _, c := range []struct {
		flag string
		typ  int
		want bool
	}{
		{"type=any,contains=m-{i}-end", rds, true},
		{"type=any,contains=m-{i}-end", vhds, true},
		{"type=any,contains=m-{i}-end", srds, true},
		{"type=any,name=svc-1,contains=m-{i}-end", vhds, true},
		{"type=any,name=svc-2,contains=m-{i}-end", vhds, false},
		{"type=any,name=other,contains=m-{i}-end", vhds, false}, // both in the same resource
		{"type=vhds,contains=m-{i}-end", vhds, true},
		{"type=vhds,contains=m-{i}-end", rds, false},
		{"type=vhds,name=svc-1", vhds, true},
		{"type=any,contains=m-{i}0-end", vhds, false},
	} {
		ch, err := parseChange("cmd=true," + c.flag)
		if err != nil {
			t.Fatal(c.flag, err)
		}
		e, err := ch.expect(2, 1)
		if err != nil {
			t.Fatal(c.flag, err)
		}
		if got := e.in(c.typ, rs); got != c.want {
			t.Errorf("%s in %s: %v", c.flag, shortNames[c.typ], got)
		}
	}
}

func TestParseChangeRefuses(t *testing.T) {
	for flag, want := range map[string]string{
		"cmd=true,type=any":                         "needs contains",
		"cmd=true,type=any,name=x":                  "needs contains",
		"cmd=true,type=sds,contains=x":              "type=sds",
		"cmd=true,contains=x":                       "type=",
		"cmd=true,type=rds,colour=x":                "colour",
		"cmd=true,type=rds,count=0":                 "count",
		"type=rds,contains=x":                       "makes the change",
		"file=x,type=rds,contains=x":                "makes the change",
		"cmd=true,type=eds,addr=10.0.0.{lo}":        "port",
		"cmd=true,type=eds,addr=10.0.0.{lo}:999999": "range",
	} {
		if _, err := parseChange(flag); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

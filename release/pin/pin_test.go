package pin

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// object reads one as an API server has it.
func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

const route = `{"apiVersion":"networking.istio.io/v1","kind":"VirtualService","metadata":{"name":"reviews","uid":"u","resourceVersion":"7"},
	"spec":{"hosts":["reviews"],"http":[{"timeout":"2s","route":[{"destination":{"host":"reviews"}}]}]},"status":{"x":1}}`

// TestMentioned: all ways in which a pod names a ConfigMap or a Secret, and nothing else.
func TestMentioned(t *testing.T) {
	all := Mentioned([]byte(`
kind: Deployment
metadata: {name: reviews}
spec:
  template:
    spec:
      containers:
      - envFrom: [{configMapRef: {name: a}}, {secretRef: {name: b}}]
        env:
        - {name: x, valueFrom: {configMapKeyRef: {name: c, key: k}}}
        - {name: y, valueFrom: {secretKeyRef: {name: d, key: k}}}
      volumes:
      - {name: e, configMap: {name: f}}
      - {name: g, secret: {secretName: h}}
      - {name: i, projected: {sources: [{configMap: {name: j}}, {secret: {name: k}}]}}
      - {name: again, configMap: {name: a}}
---
kind: Service
metadata: {name: reviews}
`))
	want := []Named{{"ConfigMap", "a"}, {"ConfigMap", "c"}, {"ConfigMap", "f"}, {"ConfigMap", "j"}, {"Secret", "b"}, {"Secret", "d"}, {"Secret", "h"}, {"Secret", "k"}}
	if !slices.Equal(all, want) {
		t.Errorf("%v", all)
	}
	if all := Mentioned([]byte("a: [")); len(all) != 0 {
		t.Errorf("%v", all)
	}
}

// TestLeads: what names the service by any of its names does, and what has the name elsewhere does not.
func TestLeads(t *testing.T) {
	for text, want := range map[string]bool{
		route: true,
		`{"spec":{"hosts":["ratings","reviews.shop.svc"]}}`:                                         true,
		`{"spec":{"http":[{"route":[{"destination":{"host":"reviews.shop.svc.cluster.local"}}]}]}}`: true,
		`{"spec":{"host":"reviews.shop"}}`:                                                          true,
		`{"spec":{"service":"reviews"}}`:                                                            true,
		`{"spec":{"rules":[{"backendRefs":[{"name":"reviews"}]}]}}`:                                 true,
		`{"spec":{"parentRefs":[{"kind":"Service","name":"reviews"}]}}`:                             true,
		`{"spec":{"parentRefs":[{"name":"reviews"}]}}`:                                              false,
		`{"spec":{"host":"reviews.other"}}`:                                                         false,
		`{"metadata":{"name":"reviews"},"spec":{"hosts":["ratings"]}}`:                              false,
		`{"spec":{"http":[{"name":"reviews","match":[{"uri":"/"}]}]}}`:                              false,
		`{"spec":{"rules":[{"backendRefs":[{"kind":"X","name":"reviews"}]}]}}`:                      false,
	} {
		if got := Leads(object(t, text), "shop", "reviews"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestChanges: what differs is told by path, and what was comes back from what was written down.
func TestChanges(t *testing.T) {
	then := []Object{
		Of(object(t, route)),
		Of(object(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"texts"},"data":{"a":"1"}}`)),
		Of(object(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"gone"},"data":{"a":"1"}}`)),
		Of(object(t, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"key","uid":"u","resourceVersion":"7"},"data":{"k":"aHVudGVyMg=="}}`)),
	}
	data, err := Bytes(then, 1<<20)
	if err != nil || strings.Contains(string(data), "aHVudGVyMg") {
		t.Fatalf("%s %v", data, err)
	}
	was, err := Read(data)
	if err != nil {
		t.Fatal(err)
	}
	if all := Changes(was, then); len(all) != 0 {
		t.Errorf("nothing changed: %+v", all)
	}
	now := object(t, strings.ReplaceAll(strings.ReplaceAll(route, "2s", "5s"), `"7"`, `"8"`))
	all := Changes(was, []Object{
		Of(now), then[1],
		Of(object(t, `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"key","uid":"u","resourceVersion":"8"},"data":{"k":"aHVudGVyMg=="}}`)),
		Of(object(t, `{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"new"},"spec":{"host":"reviews"}}`)),
	})
	var said []string
	for _, c := range all {
		said = append(said, string(c.Part)+" "+c.Kind+" "+c.Name+": "+strings.Join(c.Text, "; "))
	}
	want := []string{
		"config ConfigMap gone: was deleted since",
		"routes DestinationRule new: was not there then, and stays: delete it by hand",
		"config Secret key: was written since; what was in it is not kept",
		`routes VirtualService reviews: spec.http[0].timeout: "5s", was "2s"`,
	}
	if !slices.Equal(said, want) {
		t.Fatalf("%s", strings.Join(said, "\n"))
	}
	if all[1].Was != nil || all[2].Was != nil {
		t.Error("what is not known cannot be put back")
	}
	if back, want := all[3].Was.Into(now, "shop"), object(t, strings.ReplaceAll(route, `"7"`, `"8"`)); !reflect.DeepEqual(back, want) {
		t.Errorf("%v", back)
	}
	made := all[0].Was.Into(nil, "shop")
	if want := object(t, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"namespace":"shop","name":"gone"},"data":{"a":"1"}}`); !reflect.DeepEqual(made, want) {
		t.Errorf("%v", made)
	}
}

// TestBytes: what is too much is known by its hash alone, the largest first.
func TestBytes(t *testing.T) {
	all := []Object{Of(object(t, route)), Of(object(t, `{"kind":"ConfigMap","metadata":{"name":"big"},"data":{"a":"`+strings.Repeat("x", 4000)+`"}}`))}
	data, err := Bytes(all, 2000)
	if err != nil || len(data) > 2000 {
		t.Fatalf("%d %v", len(data), err)
	}
	was, err := Read(data)
	if err != nil || was[0].Content == nil || was[1].Content != nil || was[1].Hash != all[1].Hash || all[1].Content == nil {
		t.Errorf("%+v %v", was, err)
	}
	if c := Changes(was, all); len(c) != 0 {
		t.Errorf("%+v", c)
	}
	if _, err := Bytes(all, 10); err == nil {
		t.Error("more than there is room for was written down")
	}
}

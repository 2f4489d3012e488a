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
		`{"spec":{"targetRefs":[{"kind":"Service","name":"reviews"}]}}`:                             true,
		`{"spec":{"parentRefs":[{"name":"reviews"}]}}`:                                              false,
		`{"spec":{"host":"reviews.other"}}`:                                                         false,
		`{"metadata":{"name":"reviews"},"spec":{"hosts":["ratings"]}}`:                              false,
		`{"spec":{"http":[{"name":"reviews","match":[{"uri":"/"}]}]}}`:                              false,
		`{"spec":{"rules":[{"backendRefs":[{"kind":"X","name":"reviews"}]}]}}`:                      false,
		`{"spec":{"rules":[{"backendRefs":[{"namespace":"other","name":"reviews"}]}]}}`:             false,
		`{"spec":{"rules":[{"backendRefs":[{"namespace":"shop","name":"reviews"}]}]}}`:              true,
		`{"kind":"Service","metadata":{"name":"reviews"}}`:                                          true,
		`{"kind":"Service","metadata":{"name":"r"},"spec":{"externalName":"reviews.shop.svc"}}`:     true,
	} {
		if got := Leads(object(t, text), "shop", "reviews"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestAlone: what others need, or somebody else makes, is not deleted.
func TestAlone(t *testing.T) {
	for text, want := range map[string]bool{
		route: true,
		`{"kind":"VirtualService","spec":{"hosts":["reviews"],"gateways":["mesh"],"http":[{"route":[{"destination":{"host":"reviews.shop"}}]}]}}`: true,
		`{"kind":"DestinationRule","spec":{"host":"reviews"}}`:                                                                                         true,
		`{"kind":"Resilience","spec":{"targetRefs":[{"kind":"Service","name":"reviews"}]}}`:                                                            true,
		`{"kind":"Resilience","spec":{"targetRefs":[{"kind":"Service","name":"reviews"},{"kind":"Service","name":"ratings"}]}}`:                        false,
		`{"kind":"Resilience","spec":{"targetRefs":[{"kind":"Service","name":"reviews"}],"fallback":{"service":"ratings"}}}`:                           false,
		`{"kind":"HTTPRoute","spec":{"parentRefs":[{"kind":"Service","name":"reviews"}],"rules":[{"backendRefs":[{"name":"reviews"}]}]}}`:              true,
		`{"kind":"Service","metadata":{"name":"reviews"}}`:                                                                                             false,
		`{"kind":"DestinationRule","metadata":{"ownerReferences":[{"kind":"X"}]},"spec":{"host":"reviews"}}`:                                           false,
		`{"kind":"VirtualService","spec":{"hosts":["reviews","ratings"]}}`:                                                                             false,
		`{"kind":"VirtualService","spec":{"hosts":["reviews"],"http":[{"mirror":{"host":"ratings"}}]}}`:                                                false,
		`{"kind":"VirtualService","spec":{"hosts":["reviews"],"http":[{"delegate":{"name":"x"}}]}}`:                                                    false,
		`{"kind":"VirtualService","spec":{"http":[{"route":[{"destination":{"host":"reviews"}}]}]}}`:                                                   false,
		`{"kind":"VirtualService","spec":{"hosts":["reviews"],"gateways":["mesh","edge"]}}`:                                                            false,
		`{"kind":"HTTPRoute","spec":{"parentRefs":[{"name":"edge"}],"rules":[{"backendRefs":[{"name":"reviews"}]}]}}`:                                  false,
		`{"kind":"HTTPRoute","spec":{"hostnames":["shop.example"],"rules":[{"backendRefs":[{"name":"reviews"}]}]}}`:                                    false,
		`{"kind":"HTTPRoute","spec":{"rules":[{"filters":[{"requestMirror":{"backendRef":{"name":"ratings"}}}],"backendRefs":[{"name":"reviews"}]}]}}`: false,
		`{"kind":"HTTPRoute","spec":{}}`: false,
	} {
		if got := Alone(object(t, text), "shop", "reviews"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestGuards: a policy is the application's by its label or its Service, and one of the whole namespace is nobody's.
func TestGuards(t *testing.T) {
	for text, want := range map[string]bool{
		`{"spec":{"selector":{"matchLabels":{"app":"stars"}}}}`:               true,
		`{"spec":{"targetRefs":[{"kind":"Service","name":"reviews"}]}}`:       true,
		`{"spec":{"targetRef":{"kind":"Service","name":"reviews"}}}`:          true,
		`{"spec":{"targetRefs":[{"kind":"Gateway","name":"reviews"}]}}`:       false,
		`{"spec":{"selector":{"matchLabels":{"app":"ratings"}}}}`:             false,
		`{"spec":{"rules":[{"from":[{"source":{"namespaces":["stars"]}}]}]}}`: false,
	} {
		if got := Guards(object(t, text), "shop", "stars", "reviews"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// TestTheirs: who may do what to an application, and the address that a Service was given, are as they are now, whatever a record says.
func TestTheirs(t *testing.T) {
	app := `{"apiVersion":"weft.dev/v1alpha1","kind":"Application","metadata":{"name":"reviews"},"spec":{"owner":"a","roles":{"undo":["dev"]},"windows":[1]}}`
	service := `{"apiVersion":"v1","kind":"Service","metadata":{"name":"reviews"},"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ports":[{"port":1}]}}`
	older, err := Read([]byte(`[{"apiVersion":"weft.dev/v1alpha1","kind":"Application","name":"reviews","hash":"x","content":{"spec":{"owner":"a","roles":{"undo":["dev"]},"windows":[1]}}}]`))
	if err != nil || older[0].Hash != Of(object(t, app)).Hash {
		t.Fatalf("%+v %v", older, err)
	}
	changed := object(t, strings.NewReplacer(`"a"`, `"b"`, `"dev"`, `"ops"`, "[1]", "[2]").Replace(app))
	if back, want := older[0].Into(changed, "shop"), object(t, strings.NewReplacer(`"dev"`, `"ops"`, "[1]", "[2]").Replace(app)); !reflect.DeepEqual(back, want) {
		t.Errorf("%v", back)
	}
	if all := Changes(older, []Object{Of(changed)}); len(all) != 1 || len(all[0].Text) != 1 {
		t.Errorf("%+v", all)
	}
	then := Of(object(t, service))
	if made, want := then.Into(nil, "shop"), object(t, `{"apiVersion":"v1","kind":"Service","metadata":{"name":"reviews","namespace":"shop"},"spec":{"ports":[{"port":1}]}}`); !reflect.DeepEqual(made, want) {
		t.Errorf("%v", made)
	}
	if moved := object(t, strings.ReplaceAll(service, "10.0.0.1", "10.0.0.2")); len(Changes([]Object{then}, []Object{Of(moved)})) > 0 || !reflect.DeepEqual(then.Into(moved, "shop"), moved) {
		t.Errorf("%v", then.Into(moved, "shop"))
	}
}

// TestBecomes: access is told and stays; what is new is deleted only where it can be, and is asked to.
func TestBecomes(t *testing.T) {
	policy := Of(object(t, `{"kind":"AuthorizationPolicy","metadata":{"name":"p"},"spec":{"action":"ALLOW"}}`))
	opened := Of(object(t, `{"kind":"AuthorizationPolicy","metadata":{"name":"p"},"spec":{"action":"DENY"}}`))
	alone := Of(object(t, route))
	alone.Alone = true
	fresh := Of(object(t, `{"kind":"Service","metadata":{"name":"s"},"spec":{}}`))
	fresh.Alone = true // whoever says so
	all := Changes([]Object{policy}, []Object{opened, alone, fresh})
	everything := Back{Routes: true, Config: true, Prune: true}
	var said []string
	for _, c := range all {
		said = append(said, c.Kind+": "+c.Text[0]+": "+everything.Becomes(c)+": "+Back{Routes: true}.Becomes(c))
	}
	want := []string{
		`AuthorizationPolicy: spec.action: "DENY", was "ALLOW": stays: an undo changes nobody's access: stays: an undo changes nobody's access`,
		"Service: is not in the record of then: stays: stays",
		"VirtualService: was not there then: deleted: stays; --prune deletes it",
	}
	if !slices.Equal(said, want) || all[0].Was != nil {
		t.Errorf("%s", strings.Join(said, "\n"))
	}
	if all := Changes([]Object{policy, alone}, []Object{Unread("AuthorizationPolicy"), alone}); len(all) > 0 {
		t.Errorf("of what may not be read: %+v", all)
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
		"routes DestinationRule new: was not there then; it is about more than this application, or somebody else's: delete it by hand",
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

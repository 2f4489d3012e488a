package mesh

import (
	"context"
	"errors"
	"testing"
	"time"

	"weft.dev/api/v1alpha1"
	"weft.dev/release"
	"weft.dev/release/pipeline"
)

type oneApplication struct{ *v1alpha1.Application }

func (a oneApplication) Get(_ context.Context, namespace, name string) (*v1alpha1.Application, error) {
	if namespace != "shop" || name != "reviews" {
		return nil, errors.New("not found")
	}
	return a.Application, nil
}

// observed remembers what it was asked.
type observed struct {
	release.Provider
	asked release.Target
}

func (o *observed) Observe(_ context.Context, t release.Target) (release.Facts, error) {
	o.asked = t
	return release.Facts{Traffic: map[string]map[string]release.Counts{"v2": {"web": {Requests: 3}}}}, nil
}

// A run sees the answers of its own namespace, under the name that the service has.
func TestWorld(t *testing.T) {
	app := &v1alpha1.Application{}
	app.Name, app.Spec.Service, app.Status.Version = "reviews", "reviews-http", "v2"
	from := &observed{}
	w := World{oneApplication{app}, from}
	look := func(data string) string {
		fact, err := w.Observe(t.Context(), "shop", pipeline.Look{Kind: pipeline.SeeAnswers, Data: []byte(data)})
		if err != nil {
			return err.Error()
		}
		return string(fact.Data)
	}
	if got := look(`{"Namespace":"other","Application":"reviews","SlowerThan":5}`); got != `{"serving":"v2","traffic":{"v2":{"web":{"requests":3,"errors":0}}}}` {
		t.Error(got)
	}
	if want := (release.Target{Namespace: "shop", Application: "reviews", Service: "reviews-http", SlowerThan: 5 * time.Nanosecond}); from.asked != want {
		t.Errorf("asked %+v", from.asked)
	}
	if got := look(`{"Application":"ratings"}`); got != "Application shop/ratings: not found" {
		t.Error(got)
	}
}

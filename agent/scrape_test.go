package agent

import (
	"strings"
	"testing"

	"weft.dev/model"
)

// The registration says where the proxy can be scraped, a port that is taken is refused at once, and
// who asks for none has none.
func TestScrapePort(t *testing.T) {
	var held claims
	defer held.close()
	listen := func(at string) (model.Registration, error) {
		a := &agent{Options: Options{Metrics: at}}
		err := a.listenForScrapes(&held)
		return a.Registration, err
	}
	if r, err := listen(""); err != nil || r.MetricsPort != 0 {
		t.Errorf("%+v, %v; want no port", r, err)
	}
	if r, err := listen("127.0.0.1:0"); err != nil || r.MetricsPort == 0 || len(held) != 1 {
		t.Errorf("%+v, %v; want a port", r, err)
	}
	taken := held[0].Addr().String()
	if _, err := listen(taken); err == nil || !strings.Contains(err.Error(), "metrics "+taken) || !strings.Contains(err.Error(), "choose another port") {
		t.Errorf("%v; want it to name %s and the remedy", err, taken)
	}
}

package agent

import (
	"log/slog"
	"testing"

	"weft.dev/model"
)

// A report that a slow server has not taken is not followed by one that would be dropped; without a server nothing waits.
func TestReportsWait(t *testing.T) {
	s := newSession(nil, model.Registration{}, nil, nil, slog.New(slog.DiscardHandler))
	if s.report(model.TrafficReport{}); !s.takes() {
		t.Error("figures wait, and there is no server")
	}
	if s.connected = true; s.takes() {
		t.Error("the server has not taken the last report, and the next one would be lost")
	}
	if <-s.traffic; !s.takes() {
		t.Error("the server has taken the last report, and the next one waits")
	}
}

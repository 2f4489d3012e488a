package envoy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"weft.dev/model"
)

const (
	adminTimeout  = 2 * time.Second
	maxAdminReply = 64 << 20
)

// Admin is an Envoy's admin interface on a unix socket.
type Admin struct{ client *http.Client }

// NewAdmin talks to the socket of a Bootstrap.
func NewAdmin(socket string) *Admin {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	// A connection that is kept would be one to the Envoy that was replaced.
	return &Admin{&http.Client{Timeout: adminTimeout, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

func (a *Admin) get(ctx context.Context, path string) ([]byte, error) {
	return a.ask(ctx, http.MethodGet, path)
}

func (a *Admin) ask(ctx context.Context, method, path string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://envoy"+path, nil)
	if err != nil {
		return nil, err
	}
	reply, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxAdminReply))
	if err != nil {
		return nil, err
	}
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("Envoy's admin %s: %s", path, reply.Status)
	}
	return body, nil
}

// Serves says whether the Envoy of this restart epoch takes connections.
func (a *Admin) Serves(ctx context.Context, epoch int) bool {
	body, err := a.get(ctx, "/server_info")
	var info struct {
		State   string
		Options struct {
			Epoch int `json:"restart_epoch"`
		} `json:"command_line_options"`
	}
	return err == nil && json.Unmarshal(body, &info) == nil && info.State == "LIVE" && info.Options.Epoch == epoch
}

// Dismiss has Envoy close each connection once its next request is answered,
// which tells callers to come by another. New ones are taken as before.
func (a *Admin) Dismiss(ctx context.Context) error {
	_, err := a.ask(ctx, http.MethodPost, "/healthcheck/fail")
	return err
}

// Tap has Envoy tell its agent of every request that ends, or of none.
func (a *Admin) Tap(ctx context.Context, on bool) error {
	percent := "0"
	if on {
		percent = "100"
	}
	_, err := a.ask(ctx, http.MethodPost, "/runtime_modify?"+model.TapSwitch+"="+percent)
	return err
}

// Connections are how many others have open to Envoy, and to the one that it replaces.
func (a *Admin) Connections(ctx context.Context) (int, error) {
	body, err := a.get(ctx, "/stats?filter=^server%5C."+totalConnections+"$")
	if err != nil {
		return 0, err
	}
	_, value, _ := strings.Cut(string(body), ": ")
	return strconv.Atoi(strings.TrimSpace(value))
}

// Ready says whether Envoy has started and listens on these ports.
func (a *Admin) Ready(ctx context.Context, ports []uint32) bool {
	active, ready := a.Ports(ctx)
	return ready && !slices.ContainsFunc(ports, func(port uint32) bool { return !slices.Contains(active, port) })
}

// Ports are those that Envoy listens on, if it has started.
func (a *Admin) Ports(ctx context.Context) (active []uint32, ready bool) {
	if _, err := a.get(ctx, "/ready"); err != nil {
		return nil, false
	}
	body, err := a.get(ctx, "/listeners?format=json")
	if err != nil {
		return nil, false
	}
	var listeners struct {
		Statuses []struct {
			Address struct {
				Socket struct {
					Port uint32 `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if json.Unmarshal(body, &listeners) != nil {
		return nil, false
	}
	for _, one := range listeners.Statuses {
		if port := one.Address.Socket.Port; port > 0 { // an internal one has none
			active = append(active, port)
		}
	}
	return active, true
}

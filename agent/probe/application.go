package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/grpc"

	"weft.dev/agent/health"
	"weft.dev/model"
)

// As the kubelet has it.
const (
	maxBody      = 10 << 10
	maxRedirects = 10
)

// application is what is asked.
type application struct {
	address string
	client  *http.Client
}

func newApplication(address string) *application {
	transport := &http.Transport{
		DialContext: dial, DisableKeepAlives: true, DisableCompression: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // as the kubelet: it asks whether somebody answers, not who
	}
	return &application{address, &http.Client{Transport: transport, CheckRedirect: stayHere}}
}

// dial calls from the address that redirection takes for a call by Envoy.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	source := model.PassedSource4
	if strings.HasPrefix(address, "[") {
		source = model.PassedSource6
	}
	return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(source)}}).DialContext(ctx, network, address)
}

func dialTCP(ctx context.Context, address string) (net.Conn, error) { return dial(ctx, "tcp", address) }

// stayHere follows to the same host only.
func stayHere(next *http.Request, via []*http.Request) error {
	if next.URL.Hostname() != via[0].URL.Hostname() || len(via) >= maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

// ask is the code and the body of the answer.
func (a *application) ask(ctx context.Context, p model.Probe, userAgent string) (code int, body []byte, err error) {
	address := net.JoinHostPort(a.address, strconv.Itoa(int(p.Port)))
	switch {
	case p.HTTP != nil:
		return a.request(ctx, *p.HTTP, address, userAgent)
	case p.GRPC != nil:
		return http.StatusOK, nil, health.Serving(ctx, address, p.GRPC.Service, grpc.WithContextDialer(dialTCP))
	}
	conn, err := dialTCP(ctx, address)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, nil, conn.Close()
}

func (a *application) request(ctx context.Context, p model.HTTPProbe, address, userAgent string) (int, []byte, error) {
	scheme := "http://"
	if p.TLS {
		scheme = "https://"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+address+"/"+strings.TrimPrefix(p.Path, "/"), nil)
	if err != nil {
		return 0, nil, fmt.Errorf("path %q: %w", p.Path, err)
	}
	request.Header.Set("User-Agent", userAgent)
	request.Header.Set("Accept", "*/*")
	for _, h := range p.Headers {
		if strings.EqualFold(h[0], "Host") {
			request.Host = h[1]
		}
		request.Header.Set(h[0], h[1])
	}
	response, err := a.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return 0, nil, err
	}
	// To another host: the application lives, and where it points is not for a probe.
	if code := response.StatusCode; code < 300 || code >= 400 {
		return code, body, nil
	}
	return http.StatusOK, body, nil
}

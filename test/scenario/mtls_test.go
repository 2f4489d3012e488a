package scenario

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"weft.dev/mtls"
	"weft.dev/test/process"
)

// plain ADDRESS NAME status=200 | refused=yes: a process at an address of this machine, which has no proxy, calls a workload's port of the mesh.
func (s *script) plain(args []string) {
	want, _ := settings(args[2:])
	s.until(func() error {
		err := s.fromOutside(args[0], s.workload(args[1]))
		if _, refused := want["refused"]; refused && err != nil {
			return nil
		} else if refused {
			return fmt.Errorf("%s is answered in plain text", args[1])
		}
		return err
	})
}

// fromOutside calls the port at which a workload's proxy takes calls.
func (s *script) fromOutside(address string, w *workload) error {
	port, err := s.proxyPort(w)
	if err != nil {
		return err
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
	response, err := client.Get("http://" + process.Loopback(port))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", response.Status)
	}
	return err
}

// proxyPort is that of the first port of a workload.
func (s *script) proxyPort(w *workload) (int, error) {
	config, err := shared.server.Config()
	if err != nil {
		return 0, err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return 0, err
	}
	_, name, _ := strings.Cut(w.id, "/")
	response, err := client.Get(fmt.Sprintf("%s/apis/weft.dev/v1alpha1/namespaces/%s/workloads/%s", config.Host, s.namespace, name))
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	var stored struct {
		Spec struct{ Ports []struct{ ProxyPort int } }
	}
	if err := json.NewDecoder(response.Body).Decode(&stored); err != nil || len(stored.Spec.Ports) == 0 {
		return 0, fmt.Errorf("workload %s has no port (%v)", w.id, err)
	}
	return stored.Spec.Ports[0].ProxyPort, nil
}

// mtls NAME STATE [REGEXP] [quiet=2s]: `weft mtls plan` says so of a service, and has a caller or a reason that matches.
func (s *script) mtls(args []string) {
	quiet, pattern := "2s", regexp.MustCompile("")
	if last := args[len(args)-1]; strings.HasPrefix(last, "quiet=") {
		quiet, args = strings.TrimPrefix(last, "quiet="), args[:len(args)-1]
	}
	if len(args) > 2 {
		pattern = regexp.MustCompile(args[2])
	}
	s.until(func() error {
		p, err := output[mtls.Plan]("mtls", "plan", "--quiet", quiet, "-n", s.namespace, args[0])
		if err != nil {
			return err
		}
		text, err := json.Marshal(p.Services)
		if err == nil && (string(p.Services[0].State) != args[1] || !pattern.Match(text)) {
			err = fmt.Errorf("weft mtls plan says %s", text)
		}
		return err
	})
}
